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
		if t >= s.StartsAt && t < s.EndsAt && s.parsed.Matches(labelSet(ls)) {
			return strings.TrimSpace(s.Source + " silence " + s.ID)
		}
	}
	for i := range q.Maintenance {
		if q.Maintenance[i].Contains(t) {
			return "maintenance " + q.Maintenance[i].Name
		}
	}
	return ""
}
