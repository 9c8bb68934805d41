package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/baseliner/baseliner/pkg/correlate"
	"github.com/baseliner/baseliner/pkg/series"
	"github.com/baseliner/baseliner/pkg/signal"
)

// Changed is how one measurement went on.
type Changed struct {
	Name     string `json:"measurement"`
	Layer    string `json:"layer,omitempty"`
	Unit     string `json:"unit,omitempty"`
	Why      string `json:"not_tested,omitempty"`
	Verdict  string `json:"verdict"` // better, worse, higher, lower or none
	Percent  bool   `json:"effect_in_percent"`
	Effect   Range  `json:"effect"` // 95 %, selection-adjusted where there is a verdict
	P        Number `json:"p"`
	Q        Number `json:"q"`
	Expected Number `json:"expected"`
	After    Number `json:"observed"`
	Before   Number `json:"before"`
	Smallest Number `json:"detectable"`
	Hours    int    `json:"hours_after"`
}

// Verdicts on a change.
const (
	better = "better"
	worse  = "worse"
	none   = "none"
)

// ChangeReport compares before and after an instant.
type ChangeReport struct {
	Kind    string    `json:"kind"`
	Method  string    `json:"method"`
	What    string    `json:"what,omitempty"` // the deploy or event
	At      time.Time `json:"at"`
	Until   time.Time `json:"until"`
	Zone    string    `json:"timezone"`
	Traffic string    `json:"traffic,omitempty"`
	FDR     Number    `json:"false_discovery_rate"`
	Tested  int       `json:"m"`
	Changed []Changed `json:"changed"`
	Same    []Changed `json:"no_change_seen"`
	Unknown []Changed `json:"not_tested"`
	Caveat  string    `json:"caveat"`
}

// ChangeInput is what a change report is made of. Bad says of a measurement which direction is bad news; Both when nobody told.
type ChangeInput struct {
	What      string
	At, Until time.Time
	Traffic   string
	FDR       float64
	Changes   []correlate.Change
	Bad       func(name string) series.Direction
}

const changeCaveat = "This compares with what the weekly rhythm, the two weeks before and the traffic would have led to. Whatever else began at the same time is part of it: " +
	"campaigns, other releases, an incident."

// NewChange sorts what changed from what did not.
func NewChange(in ChangeInput) *ChangeReport {
	out := &ChangeReport{
		Kind: "change", Method: correlate.Method, What: in.What, At: in.At, Until: in.Until, Zone: in.At.Location().String(), Traffic: in.Traffic, FDR: Number(in.FDR),
		Changed: []Changed{}, Same: []Changed{}, Unknown: []Changed{}, Caveat: changeCaveat,
	}
	for _, c := range in.Changes {
		r := Changed{
			Name: c.Name, Unit: c.Unit, Why: c.Why, Verdict: none, Percent: c.Log, P: Number(c.P), Q: Number(c.Q), Expected: Number(c.Expected), After: Number(c.After),
			Before: Number(c.Before), Hours: c.Hours,
		}
		if c.Layer != 0 {
			r.Layer = c.Layer.String()
		}
		told := func(v float64) Number {
			if c.Log {
				return Number(correlate.Percent(v))
			}
			return Number(v)
		}
		r.Smallest = told(c.Smallest)
		r.Effect = Range{told(c.Effect.Coef), told(c.Effect.Low), told(c.Effect.High)}
		switch {
		case c.Why != "":
			out.Unknown = append(out.Unknown, r)
			continue
		case !c.Shown:
			out.Same = append(out.Same, r)
		default:
			r.Effect.Low, r.Effect.High = told(c.Low), told(c.High)
			r.Verdict = verdictOf(c.Effect.Coef > 0, in.Bad(c.Name))
			out.Changed = append(out.Changed, r)
		}
		out.Tested++
	}
	rank := map[string]int{worse: 0, better: 1}
	slices.SortStableFunc(out.Changed, func(a, b Changed) int {
		ra, okA := rank[a.Verdict]
		rb, okB := rank[b.Verdict]
		if !okA {
			ra = 2
		}
		if !okB {
			rb = 2
		}
		return cmp.Or(cmp.Compare(ra, rb), cmp.Compare(a.P, b.P))
	})
	return out
}

func verdictOf(up bool, bad series.Direction) string {
	switch {
	case bad == series.Up && up || bad == series.Down && !up:
		return worse
	case bad == series.Up || bad == series.Down:
		return better
	case up:
		return "higher"
	}
	return "lower"
}

func (r *Changed) size(v float64) string {
	if r.Percent {
		return percent(v)
	}
	return signal.Format(math.Abs(v), r.Unit)
}

func (r *Changed) signed(v float64) string {
	switch {
	case v < 0:
		return "−" + r.size(v)
	case v > 0:
		return "+" + r.size(v)
	}
	return r.size(v)
}

func (r *Changed) interval() string {
	return between(float64(r.Effect.Low), float64(r.Effect.High), r.size, r.signed)
}

// Document writes the comparison down.
func (c *ChangeReport) Document() *Document {
	title := "Before and after " + c.At.Format("Monday, 2 January 2006, 15:04")
	if c.What != "" {
		title = "Before and after " + c.What
	}
	d := &Document{
		Title:    title,
		Subtitle: fmt.Sprintf("%s to %s, %s, beside the two weeks before", c.At.Format("2 January 2006 15:04"), c.Until.Format("2 January 2006 15:04"), c.Zone),
		Data:     c,
	}
	d.Sections = []Section{c.answer(), c.changed(), c.same(), c.howSure()}
	return d
}

func (c *ChangeReport) answer() Section {
	s := Section{Title: "Did it get better?"}
	grades := map[string]string{worse: "C", better: "A"}
	for n, r := range c.Changed {
		if n == leads {
			s.text("%d more in the table below.", len(c.Changed)-n)
			break
		}
		word := r.Verdict
		if word == worse || word == better {
			word = fmt.Sprintf("**%s**: %s", word, direction(r.Effect.Value))
		}
		text := fmt.Sprintf("**%s** is %s by **%s** (95 %% interval %s): %s instead of %s.", r.Name, word, r.size(float64(r.Effect.Value)), r.interval(),
			signal.Format(float64(r.After), r.Unit), signal.Format(float64(r.Expected), r.Unit))
		grade := ""
		if g, ok := grades[r.Verdict]; ok {
			grade = g
		}
		s.Blocks = append(s.Blocks, Lead{Text: text, Grade: grade, Badge: map[string]string{worse: "–", better: "+"}[r.Verdict]})
	}
	if len(c.Changed) == 0 {
		s.Blocks = append(s.Blocks, Lead{Text: fmt.Sprintf("None of %d measurements changed beyond what its week, its level and the traffic explain.", c.Tested)})
	} else if n := len(c.Same); n > 0 {
		s.text("No change was seen on the other %d.", n)
	}
	return s
}

func (c *ChangeReport) changed() Section {
	s := Section{Title: "What changed"}
	if len(c.Changed) == 0 {
		s.text("Nothing that was seen.")
		return s
	}
	t := &Table{
		Name: "changed", Head: []string{"measurement", "layer", "verdict", "expected", "observed", "change", "95 % interval", "q", "hours"},
		Numbers: []bool{false, false, false, true, true, true, true, true, true},
	}
	for _, r := range c.Changed {
		t.Rows = append(t.Rows, []string{
			r.Name, r.Layer, r.Verdict, signal.Format(float64(r.Expected), r.Unit), signal.Format(float64(r.After), r.Unit), r.signed(float64(r.Effect.Value)), r.interval(),
			probability(float64(r.Q)), whole(r.Hours),
		})
	}
	t.dropEmpty()
	s.Blocks = append(s.Blocks, t)
	return s
}

func (c *ChangeReport) same() Section {
	s := Section{Title: "What did not, as far as can be seen"}
	t := &Table{Name: "same", Head: []string{"measurement", "change", "95 % interval", "would have been seen above"}, Numbers: []bool{false, true, true, true}}
	for _, r := range c.Same[:min(listed, len(c.Same))] {
		t.Rows = append(t.Rows, []string{r.Name, r.signed(float64(r.Effect.Value)), r.interval(), r.size(float64(r.Smallest))})
	}
	if len(t.Rows) > 0 {
		s.Blocks = append(s.Blocks, t)
	} else {
		s.text("Nothing.")
	}
	var missing []string
	for _, r := range c.Unknown {
		missing = append(missing, fmt.Sprintf("%s (%s)", r.Name, r.Why))
	}
	if len(missing) > 0 {
		s.text("Not compared: %s.", list(missing, leads))
	}
	return s
}

func (c *ChangeReport) howSure() Section {
	s := Section{Title: "How sure this is, and what it is not"}
	s.text("%s", changeCaveat)
	traffic := "traffic is not known, and not held equal"
	if c.Traffic != "" {
		traffic = "traffic is " + c.Traffic
	}
	s.text("%d measurements were compared; at most %.0f %% of what is shown is expected to be chance. Hours follow one another: errors are autoregressive, and %s. Method %s: "+
		"regression of the residual from the hour-of-week mean of all weeks before on a step, two weeks on either side at most; Benjamini–Hochberg and Benjamini–Yekutieli.",
		c.Tested, 100*float64(c.FDR), traffic, strings.TrimSpace(c.Method))
	return s
}
