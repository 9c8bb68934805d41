package signal

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/baseliner/baseliner/pkg/calendar"
	"github.com/baseliner/baseliner/pkg/series"
)

// Day is the interval of a signal that is judged once a day.
const Day = 24 * time.Hour

// Definition is one signal of the configuration, validated and with its defaults applied.
type Definition struct {
	Name          string
	Layer         series.Layer
	Expr          string // PromQL; empty when Ratio is set
	Ratio         *Ratio
	Unit          string
	Direction     series.Direction
	MinChange     MinChange
	For           time.Duration
	KeepFiringFor time.Duration
	Interval      time.Duration // how often it is evaluated: a second to an hour, or a Day of its zone
	Lookback      time.Duration // how far an instant selector looks back; 0 is the engine's default
	Window        time.Duration // trailing window of the value; 0 means it does not overlap with its neighbours
	Zone          string        // IANA name
	Kind          string        // auto, gauge, count or ratio
	AbsentFor     time.Duration // of each series; 0 watches only the signal as a whole
	Budget        Budget
	Severity      string // critical, warning or info
	Alert         string // alertname
	Team          string
	Pack          string // that it belongs to; empty for one of the configuration. It is not part of the identity
	RunbookURL    string
	Labels        map[string]string // added to alerts
	Annotations   map[string]string // added to alerts
	ValuePerUnit  *Money
	BorrowFrom    string // the signal whose series lend to those that have no grown siblings; empty when none does
	// Calendar says which days are special; nil when none is. It is not part of the identity: a signal whose calendar
	// changes keeps its history and learns from it anew.
	Calendar *calendar.Rules
}

// Budget is how many false alarms a week may cost. Zero is the default.
type Budget struct {
	Signal float64 // this signal, all of its series together; 1 by default
	Total  float64 // the team that the signal belongs to, or all signals without a team; 7 by default
}

// Completed has the defaults in place of zeros.
func (b Budget) Completed() Budget {
	if b.Signal == 0 {
		b.Signal = 1
	}
	if b.Total == 0 {
		b.Total = 7
	}
	return b
}

// Ratio is a quotient judged on its raw parts. Both expressions return the same label sets.
type Ratio struct{ Numerator, Denominator string }

// MinChange is the smallest deviation from the expectation worth anybody's time; both must be exceeded.
type MinChange struct {
	Absolute float64 // in the signal's unit
	Relative float64 // of the expectation: 0.1 is 10 %
}

// Money is what one unit is worth.
type Money struct {
	Amount   float64
	Currency string // ISO 4217
}

// Identity is the part of the state key that configuration decides: a signal whose expression, window, kind, interval
// or zone changes learns anew, one whose severity or text changes keeps what it knows.
func (d *Definition) Identity() string {
	h := sha256.New()
	num, den := "", ""
	if d.Ratio != nil {
		num, den = d.Ratio.Numerator, d.Ratio.Denominator
	}
	fmt.Fprintf(h, "%q %q %q %q %d %d %d %q %q", d.Name, d.Expr, num, den, d.Window, d.Interval, d.Lookback, d.Kind, d.Zone)
	return hex.EncodeToString(h.Sum(nil)[:8])
}
