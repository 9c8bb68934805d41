package alert

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/prometheus/alertmanager/pkg/labels"
	"github.com/prometheus/alertmanager/timeinterval"

	"github.com/baseliner/baseliner/pkg/series"
)

// Silence keeps alerts whose labels match from being told, and their series from being learnt, from StartsAt until EndsAt.
// Times are unix milliseconds.
type Silence struct {
	ID        string   `json:"id"`
	Matchers  []string `json:"matchers"` // as Alertmanager writes them: name="value", =~, != and !~
	StartsAt  int64    `json:"startsAt"`
	EndsAt    int64    `json:"endsAt"`
	CreatedBy string   `json:"createdBy,omitempty"`
	Comment   string   `json:"comment,omitempty"`
	Source    string   `json:"source,omitempty"` // where it comes from; "" is here
	Origin    string   `json:"origin,omitempty"` // which of several such sources
	// Since is when it became known here. It covers nothing before: what was learnt until then stays learnt, also when a
	// restart steps through it again.
	Since int64 `json:"since,omitempty"`

	parsed labels.Matchers
}

// Compile parses the matchers. At least one of them must not match the empty string: a silence of everything is a
// mistake.
func (s *Silence) Compile() error {
	s.parsed = nil
	selective := false
	for _, text := range s.Matchers {
		m, err := labels.ParseMatcher(text)
		if err != nil {
			return fmt.Errorf("matcher %q: %w", text, err)
		}
		selective = selective || !m.Matches("")
		s.parsed = append(s.parsed, m)
	}
	if !selective {
		return errors.New(`a silence needs a matcher such as alertname="HighLatency": one that an alert without the label does not match`)
	}
	if s.EndsAt <= s.StartsAt {
		return errors.New("a silence ends after it starts")
	}
	return nil
}

// NewSilenceID returns a name that no other silence has.
func NewSilenceID() string {
	b := make([]byte, 8)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// Window is a named set of recurring times.
type Window struct {
	Name      string
	Intervals []timeinterval.TimeInterval
}

// Contains says whether an instant lies in the window.
func (w *Window) Contains(t int64) bool {
	at := time.UnixMilli(t)
	for _, i := range w.Intervals {
		if i.ContainsTime(at) {
			return true
		}
	}
	return false
}

// Quiet is what keeps alerts from being told whatever their route. The zero value keeps none. It is read-only.
type Quiet struct {
	Silences    []Silence // compiled
	Maintenance []Window
}

// By names what silences the labels at an instant, "" for nothing.
func (q *Quiet) By(ls map[string]string, t int64) string {
	if q == nil {
		return ""
	}
	for i := range q.Silences {
		s := &q.Silences[i]
		if s.InForce(t) && s.parsed.Matches(labelSet(ls)) {
			return s.Name()
		}
	}
	return q.MaintenanceAt(t)
}

// MaintenanceAt names the maintenance window that holds an instant, "" for none.
func (q *Quiet) MaintenanceAt(t int64) string {
	for i := range q.Maintenance {
		if q.Maintenance[i].Contains(t) {
			return "maintenance " + q.Maintenance[i].Name
		}
	}
	return ""
}

// InForce says whether a silence covers anything at an instant.
func (s *Silence) InForce(t int64) bool { return t >= max(s.StartsAt, s.Since) && t < s.EndsAt }

// Matches says whether a compiled silence is about these labels.
func (s *Silence) Matches(ls series.Labels) bool {
	for _, m := range s.parsed {
		if !m.Matches(ls.Get(m.Name)) {
			return false
		}
	}
	return true
}

// Name is what those are told who ask why something is silenced.
func (s *Silence) Name() string { return strings.TrimSpace(s.Source + " silence " + s.ID) }
