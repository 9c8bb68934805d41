package pipeline

import (
	"fmt"
	"maps"
	"math"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/baseliner/baseliner/pkg/alert"
	"github.com/baseliner/baseliner/pkg/baseline"
	"github.com/baseliner/baseliner/pkg/detect"
	"github.com/baseliner/baseliner/pkg/series"
	"github.com/baseliner/baseliner/pkg/signal"
)

// Words are the labels and texts of an alert.
type Words struct {
	Labels       map[string]string // identity only: they do not change while the alert lives
	Annotations  map[string]string // everything measured
	GeneratorURL string
}

// Describe puts an occurrence into words. external labels identify the instance; page is the address of its pages.
func Describe(o *Occurrence, t int64, external map[string]string, page *url.URL) Words {
	d := &o.Signal.Def
	w := Words{Labels: identity(o, external), Annotations: map[string]string{}}
	name := subject(o)
	at := o.Signal.describe(t)
	a := w.Annotations
	switch {
	case o.Absent && o.Event.Kind == detect.End:
		a["summary"] = fmt.Sprintf("%s: data again", name)
		a["description"] = fmt.Sprintf("%s reports again since %s after %s of silence.", name, at, span(o.Event.EndsAt-o.Event.StartsAt))
	case o.Absent:
		silent := span(t - o.Event.StartsAt)
		a["summary"] = fmt.Sprintf("%s: no data for %s", name, silent)
		a["description"] = fmt.Sprintf("%s has shown nothing for %s (last checked %s). Silence is neither judged nor learnt.", name, silent, at)
	case o.Shift != nil:
		describeShift(a, o, name, at)
	case o.Coverage != nil:
		describeCoverage(a, o, name, at)
	default:
		describeAnomaly(a, o, name, at)
	}
	if d.RunbookURL != "" {
		a["runbook_url"] = d.RunbookURL
	}
	if o.Incident != "" {
		a["incident"] = o.Incident
	}
	if o.Ranked && o.Event.Kind == detect.Begin {
		a["likely_causes"] = o.Signal.core.causesText(o.Causes, o.Deploys, o.Event.StartsAt, d.Name)
	}
	maps.Copy(a, d.Annotations)
	if o.Quiet {
		a[alert.PagingAnnotation] = "false"
	}
	w.GeneratorURL = generatorURL(o, t, page)
	return w
}

func describeAnomaly(a map[string]string, o *Occurrence, name, at string) {
	d, v := &o.Signal.Def, &o.Verdict
	day := strings.Join(strings.Fields(at)[:2], " ") // Tue 14:00
	seen := seen(&v.Expectation)
	lower, upper := bandToTell(v, o.Event.Kind == detect.End)
	normal := fmt.Sprintf("normal for %s is %s (%s)", day, signal.FormatRange(lower, upper, d.Unit), seen)
	if !v.Known {
		normal = o.Signal.reason(&v.Expectation)
	}
	if o.Event.Kind == detect.End {
		now := "no data"
		if v.Missing == series.Observed {
			now = signal.Format(v.Value, d.Unit)
		}
		a["summary"] = clipRunes(fmt.Sprintf("%s back to normal: %s; %s", name, now, normal), 256)
		a["description"] = fmt.Sprintf("%s was outside its usual range for %s, at worst %.1f times the edge of its band. Now %s; %s.",
			name, span(o.Event.EndsAt-o.Event.StartsAt), abs64(o.Event.Peak), now, normal)
	} else {
		a["summary"] = clipRunes(fmt.Sprintf("%s %s; %s", name, signal.Format(v.Value, d.Unit), normal), 256)
		a["description"] = fmt.Sprintf("%s is %s, expected %s at this time of the week: %s%s, %.1f times the edge of its band. %s.",
			name, signal.Format(v.Value, d.Unit), signal.Format(v.Center, d.Unit), o.Event.Dir, relative(v.Value, v.Center), abs64(v.Score), capital(normal))
	}
	if v.Missing == series.Observed {
		a["observed"] = plain(v.Value)
		if o.Event.Kind != detect.End { // a break back to normal has a score that means nothing to anybody
			a["score"] = plain(v.Score)
		}
	}
	a["expected"], a["lower"], a["upper"] = plain(v.Center), plain(lower), plain(upper)
	a["context"] = fmt.Sprintf("%s, %s", at, seen)
}

// describeCoverage tells of reporters that were lost, and of what that means for the values.
func describeCoverage(a map[string]string, o *Occurrence, name, at string) {
	f := o.Coverage
	if o.Event.Kind == detect.End {
		a["summary"] = fmt.Sprintf("%s: %.0f exporters report again", name, f.Reporting)
		a["description"] = fmt.Sprintf("%s stood on fewer exporters than usual for %s. Since %s there are %.0f, %.0f are usual.", name, span(o.Event.EndsAt-o.Event.StartsAt), at, f.Reporting, f.Usual)
		return
	}
	of := ""
	if f.Series > 1 {
		of = fmt.Sprintf(" behind %d of its %d series", f.Lost, f.Series)
	}
	a["summary"] = fmt.Sprintf("%s: only %.0f of the usual %.0f exporters report", name, f.Reporting, f.Usual)
	a["description"] = fmt.Sprintf("%.0f exporters report%s, %.0f are usual at this hour of the week (%s). What they would have added is missing from sums: a fall that this explains is not told, and nothing is learnt of it.", f.Reporting, of, f.Usual, at)
	a["observed"], a["expected"] = plain(f.Reporting), plain(math.Round(f.Usual*10)/10)
}

// bandToTell is the band to tell people: where the point would have been outside, or what the context alone allows where the
// recent course leaves nothing of that, or is over.
func bandToTell(v *baseline.Verdict, over bool) (lower, upper float64) {
	context := v.Gates[baseline.Context].Limit
	if (over || !(v.Lower < v.Upper)) && v.Known && !v.Counted && context > 0 {
		return v.Center - context, v.Center + context
	}
	return v.Lower, v.Upper
}

// identity holds what names the alert: the signal's labels, then the series' own, then ours, which nothing overrides.
func identity(o *Occurrence, external map[string]string) map[string]string {
	d := &o.Signal.Def
	ls := map[string]string{}
	maps.Copy(ls, external)
	maps.Copy(ls, d.Labels)
	if d.Team != "" {
		ls["team"] = d.Team
	}
	if o.Series != nil {
		maps.Copy(ls, o.Series.Labels.Map())
	}
	ls["alertname"], ls["signal"], ls["layer"], ls["severity"] = d.Alert, d.Name, d.Layer.String(), d.Severity
	ls["type"] = "absent"
	delete(ls, "direction")
	if o.Coverage != nil {
		ls["type"] = "coverage"
	} else if !o.Absent {
		ls["type"], ls["direction"] = "anomaly", o.Event.Dir.String()
	}
	maps.DeleteFunc(ls, func(_, v string) bool { return v == "" })
	return ls
}

// subject names the series as a person would: the signal, and what tells this series from the others.
func subject(o *Occurrence) string {
	name := spaced(o.Signal.Def.Name)
	if o.Series == nil || len(o.Series.Labels) == 0 {
		return name
	}
	values := make([]string, len(o.Series.Labels))
	for i, l := range o.Series.Labels {
		values[i] = l.Name + "=" + l.Value
	}
	return name + " (" + strings.Join(values, ", ") + ")"
}

// generatorURL opens the page of the signal on the right window. It carries the expression as Prometheus' does, which
// receivers read.
func generatorURL(o *Occurrence, t int64, page *url.URL) string {
	if page == nil {
		return ""
	}
	d := &o.Signal.Def
	expr := d.Expr
	if d.Ratio != nil {
		expr = "(" + d.Ratio.Numerator + ") / (" + d.Ratio.Denominator + ")"
	}
	at := func(ms int64) []string { return []string{time.UnixMilli(ms).UTC().Format(time.RFC3339)} }
	q := url.Values{
		"name": {d.Name}, "from": at(o.Event.StartsAt - 3*hourMillis), "to": at(t + hourMillis/2),
		"g0.expr": {expr}, "g0.tab": {"1"},
	}
	if o.Series != nil && len(o.Series.Labels) > 0 {
		q.Set("match", o.Series.Labels.String())
	}
	u := page.JoinPath("signal")
	u.RawQuery = q.Encode()
	return u.String()
}

// seen says what a judgement stands on.
func seen(e *baseline.Expectation) string {
	if e.Borrowed {
		return "judged by its siblings"
	}
	return weeks(e.Weeks)
}

func weeks(n int) string {
	switch n {
	case 0:
		return "not seen before, judged by other days"
	case 1:
		return "1 week seen"
	}
	return strconv.Itoa(n) + " weeks seen"
}

func relative(value, expected float64) string {
	if expected == 0 {
		return ""
	}
	return fmt.Sprintf(" %.0f %%", 100*abs64((value-expected)/expected))
}

func span(ms int64) string {
	d := time.Duration(max(ms, 0)) * time.Millisecond
	switch {
	case d < 2*time.Minute:
		return d.Round(time.Second).String()
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%.1f h", d.Hours())
	}
	return fmt.Sprintf("%.1f days", d.Hours()/24)
}

func plain(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) }

func abs64(v float64) float64 { return max(v, -v) }

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

func clipRunes(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}
