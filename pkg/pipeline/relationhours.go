package pipeline

import (
	"math"
	"slices"
	"strings"
	"time"

	"go.etcd.io/bbolt"

	"github.com/baseliner/baseliner/pkg/baseline"
	"github.com/baseliner/baseliner/pkg/calendar"
	"github.com/baseliner/baseliner/pkg/correlate"
	"github.com/baseliner/baseliner/pkg/series"
	"github.com/baseliner/baseliner/pkg/signal"
	"github.com/baseliner/baseliner/pkg/state"
)

// Member is a series that relations are learnt of.
type Member struct {
	Name  string // the signal, and the labels of the series if it has any
	Def   signal.Definition
	ID    state.SeriesID
	label Label
}

// NameOf is how relations call a series.
func NameOf(signal string, labels series.Labels) string {
	if len(labels) > 0 {
		return signal + labels.String()
	}
	return signal
}

// Members returns all series, in the order of the configuration. It is safe to call at any time.
func (in *Instance) Members() ([]Member, *Forgotten) {
	in.mu.RLock()
	defer in.mu.RUnlock()
	var out []Member
	for _, s := range in.core.signals {
		for _, sr := range s.series {
			out = append(out, Member{Name: NameOf(s.Def.Name, sr.Labels), Def: s.Def, ID: sr.ID, label: s.Label(sr)})
		}
	}
	slices.SortStableFunc(out, func(a, b Member) int {
		if a.Def.Name != b.Def.Name {
			return 0
		}
		return strings.Compare(a.Name, b.Name)
	})
	return out, in.core.forgotten
}

// hourly are the members whose hours can be compared: those that are judged once a day have none.
func hourly(members []Member) (kept []Member, daily []string) {
	for i := range members {
		if members[i].Def.Interval == signal.Day {
			daily = append(daily, members[i].Name)
		} else {
			kept = append(kept, members[i])
		}
	}
	return kept, daily
}

// weekBegin is the hour since 1970 of the last Monday 00:00 in a zone that is not after t, unix milliseconds.
func weekBegin(z *calendar.Zone, t int64) int64 {
	day := z.Local(t)
	back := (int(day.Weekday()) + 6) % 7
	monday := time.Date(day.Year(), day.Month(), day.Day()-back, 0, 0, 0, 0, day.Location())
	return floorHour(monday.UnixMilli())
}

func floorHour(ms int64) int64 { return (ms - ((ms%hourMillis)+hourMillis)%hourMillis) / hourMillis }

// hoursOf reads a series' summaries into the rows of a frame. What is forgotten is missing, as are hours with less than three quarters
// of their points.
func (m *Member) hoursOf(ledger *state.Ledger, forgotten *Forgotten, f *correlate.Frame) (*correlate.Series, error) {
	s := &correlate.Series{Name: m.Name, Layer: m.Def.Layer, Unit: m.Def.Unit, Values: make([]float64, f.Rows())}
	for i := range s.Values {
		s.Values[i] = math.NaN()
	}
	ratio := m.Def.Ratio != nil
	if ratio {
		s.Unit = "ratio"
		s.Of = slices.Clone(s.Values)
	}
	var kept []baseline.Summary
	err := ledger.View(func(tx *bbolt.Tx) error {
		all, err := state.Summaries(tx, m.ID, int32(f.First), int32(f.First)+int32(f.Rows()))
		kept = forgotten.keep(all, m.label, func(hour int32) (from, to int64) {
			return int64(hour) * hourMillis, int64(hour+1) * hourMillis
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	interval := m.Def.Interval
	if interval <= 0 {
		interval = time.Minute
	}
	perHour := float64(time.Hour) / float64(interval)
	share := 1.0 // of a row's events that no other row has
	if m.Def.Window > interval {
		share = float64(interval) / float64(m.Def.Window)
	}
	for i := range kept {
		h := &kept[i]
		if float64(h.N) < 0.75*perHour || h.Flags&baseline.Withheld != 0 {
			continue
		}
		row := int64(h.Hour) - f.First
		switch {
		case ratio:
			s.Of[row] = float64(h.Weight) * perHour * share
			s.Values[row] = h.Mean * s.Of[row]
		case m.counts():
			s.Values[row] = h.Mean * perHour * share
		default:
			s.Values[row] = h.Mean
		}
	}
	switch {
	case ratio:
		s.Kind = correlate.Share
	case m.counts():
		s.Kind, s.Unit = correlate.Count, signal.Summed(s.Unit)
	}
	return s, nil
}

// counts tells whether the values are events or amounts that add up.
func (m *Member) counts() bool { return m.Def.Kind == "count" || m.Def.ValuePerUnit != nil }

// Business tells whether the series is a business figure.
func (m *Member) Business() bool { return m.Def.Layer == series.Business }

// trafficNames are the signals that are taken for the traffic to hold equal, with or without _total, in this order.
var trafficNames = []string{"visits", "sessions", "visitors", "page_views", "pageviews", "checkouts", "http_requests", "requests"}

// traffic finds the traffic among the members by the name of its signal, which has one series: of several nobody knows which one
// is meant. Nil where there is none.
func traffic(members []Member) *Member {
	for _, name := range trafficNames {
		var found []*Member
		for i := range members {
			if strings.EqualFold(strings.TrimSuffix(members[i].Def.Name, "_total"), name) {
				found = append(found, &members[i])
			}
		}
		if len(found) == 1 {
			return found[0]
		}
	}
	return nil
}
