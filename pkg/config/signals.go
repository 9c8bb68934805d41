package config

import (
	"regexp"
	"time"

	"github.com/baseliner/baseliner/pkg/series"
	"github.com/baseliner/baseliner/pkg/signal"
)

var (
	signalName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)
	currency   = regexp.MustCompile(`^[A-Z]{3}$`)
)

// identityLabels are the labels of an alert that say which alert it is. Nobody else may set them.
var identityLabels = []string{"alertname", "signal", "layer", "severity", "direction", "type", "incident"}

func (l *loader) signals(list []signalSchema) {
	first := map[string]int{}
	for i := range list {
		s, path := &list[i], index("signals", i)
		if !l.isMapping(path) {
			continue
		}
		if s.Name != "" {
			if line, ok := first[s.Name]; ok {
				l.fail(path+".name", "", "signal %q is already defined in line %d", s.Name, line)
			} else {
				first[s.Name] = l.line(path + ".name")
			}
		}
		l.cfg.Signals = append(l.cfg.Signals, l.signal(path, s))
	}
	l.lenders(list)
}

// lenders checks that whom a signal borrows from counts the same hours in the same steps.
func (l *loader) lenders(list []signalSchema) {
	byName := map[string]*signal.Definition{}
	var names []string
	for i := range l.cfg.Signals {
		byName[l.cfg.Signals[i].Name] = &l.cfg.Signals[i]
		names = append(names, l.cfg.Signals[i].Name)
	}
	for i := range list {
		path, from := index("signals", i)+".borrow_from", list[i].BorrowFrom
		if !l.has(path) {
			continue
		}
		d, lender := byName[list[i].Name], byName[from]
		switch {
		case lender == nil:
			l.fail(path, didYouMean(from, names), "signal %q is not defined", from)
		case lender == d:
			l.fail(path, "name another signal: series of one signal borrow from each other anyway", "a signal cannot borrow from itself")
		case d == nil:
		case lender.Interval != d.Interval:
			l.fail(path, "", "signal %q has an interval of %s, this one of %s", from, lender.Interval, d.Interval)
		case lender.Zone != d.Zone:
			l.fail(path, "", "signal %q counts its week in %s, this one in %s", from, lender.Zone, d.Zone)
		case (lender.Ratio == nil) != (d.Ratio == nil):
			l.fail(path, "", "only one of this signal and %q is a ratio", from)
		}
	}
}

// signal checks one signal and completes it. What it returns means something only if there were no problems.
func (l *loader) signal(path string, s *signalSchema) signal.Definition {
	d := signal.Definition{
		Name:          s.Name,
		Expr:          s.Expr,
		Unit:          s.Unit,
		MinChange:     signal.MinChange{Absolute: s.MinChange.Absolute, Relative: float64(s.MinChange.Relative)},
		For:           s.For,
		KeepFiringFor: s.KeepFiringFor,
		Interval:      s.Interval,
		Lookback:      s.Lookback,
		Window:        s.Window,
		Zone:          s.Timezone,
		Kind:          s.Kind,
		AbsentFor:     s.Absent.For,
		Severity:      s.Severity,
		Alert:         s.Alert,
		Team:          s.Team,
		RunbookURL:    s.RunbookURL,
		Calendar:      l.cfg.Calendar,
		Budget:        l.cfg.Budget,
		Labels:        s.Labels,
		Annotations:   s.Annotations,
		BorrowFrom:    s.BorrowFrom,
	}
	switch {
	case s.Name == "":
		l.fail(path+".name", "", "is missing")
	case !signalName.MatchString(s.Name):
		l.fail(path+".name", "use letters, digits and _", "%q is not a signal name", s.Name)
	}
	if s.Layer == "" {
		l.fail(path+".layer", "infrastructure, application or business", "is missing")
	} else if l.oneOf(path+".layer", s.Layer, "infrastructure", "application", "business") {
		d.Layer, _ = series.ParseLayer(s.Layer)
	}
	if l.has(path+".direction") && l.oneOf(path+".direction", s.Direction, "up", "down", "both") {
		d.Direction, _ = series.ParseDirection(s.Direction)
	}
	if s.MinChange.Absolute < 0 {
		l.fail(path+".min_change.absolute", "", "%v is negative", s.MinChange.Absolute)
	}
	if l.has(path + ".budget") {
		d.Budget.Signal = l.perWeek(path+".budget", s.Budget)
	}
	l.signalWords(path, s, &d)
	l.signalTimes(path, s, &d)
	l.signalValue(path, s, &d)
	l.signalWorth(path, s, &d)
	return d
}

// signalWorth is what a unit is worth, where units add up.
func (l *loader) signalWorth(path string, s *signalSchema, d *signal.Definition) {
	v := s.ValuePerUnit
	if v == nil {
		return
	}
	path += ".value_per_unit"
	if !currency.MatchString(v.Currency) {
		l.fail(path+".currency", "use a code of ISO 4217 such as EUR", "%q is not a currency", v.Currency)
	}
	if v.Amount <= 0 {
		l.fail(path+".amount", "what one unit is worth", "%v is not more than 0", v.Amount)
	}
	if _, _, ok := d.Amount(); !ok {
		l.fail(path, "use a ratio, a window, kind: count, or a unit such as orders/s", "values of this signal do not add up to an amount")
	}
	d.ValuePerUnit = &signal.Money{Amount: v.Amount, Currency: v.Currency}
}

// signalWords are the parts that say what an alert looks like.
func (l *loader) signalWords(path string, s *signalSchema, d *signal.Definition) {
	if !l.has(path + ".severity") {
		d.Severity = "warning"
	} else {
		l.oneOf(path+".severity", s.Severity, "critical", "warning", "info")
	}
	if !l.has(path + ".alert") {
		d.Alert = s.Name
	} else if s.Alert == "" {
		l.fail(path+".alert", "leave it out to use the signal's name", "is empty")
	}
	l.labels(path+".labels", s.Labels, append([]string{"team"}, identityLabels...)...)
	for name := range s.Annotations {
		if !labelName.MatchString(name) {
			l.fail(join(path+".annotations", name), "use letters, digits and _", "%q is not an annotation name", name)
		}
	}
}

// signalTimes are the parts that say when a signal is evaluated.
func (l *loader) signalTimes(path string, s *signalSchema, d *signal.Definition) {
	if !l.has(path + ".interval") {
		d.Interval = l.cfg.Global.EvaluationInterval
	} else {
		if s.Interval != signal.Day && s.Interval > time.Hour {
			l.fail(path+".interval", "1h is the longest but 1d, which judges each day of the signal's timezone", "%s is neither at most 1h nor 1d", written(s.Interval))
		} else if s.Interval != signal.Day {
			l.between(path+".interval", s.Interval, time.Second, time.Hour)
			l.whole(path+".interval", s.Interval)
		}
	}
	if !l.has(path + ".timezone") {
		d.Zone = l.cfg.Global.Timezone
	} else {
		l.zone(path+".timezone", s.Timezone)
	}
	if l.has(path + ".lookback") {
		l.between(path+".lookback", s.Lookback, time.Second, 24*time.Hour)
	}
	if l.has(path+".absent.for") && s.Absent.For < time.Second {
		l.fail(path+".absent.for", "leave it out to watch only the signal as a whole", "%s is less than 1s", written(s.Absent.For))
	}
}

// signalValue is what is measured: an expression or a ratio, its kind, and the window it looks at.
func (l *loader) signalValue(path string, s *signalSchema, d *signal.Definition) {
	type expression struct{ path, text string }
	var exprs []expression
	switch {
	case l.has(path+".expr") && s.Ratio != nil:
		l.fail(path+".ratio", "keep one of the two", "set beside expr")
		return
	case s.Ratio != nil:
		d.Ratio = &signal.Ratio{Numerator: s.Ratio.Numerator, Denominator: s.Ratio.Denominator}
		exprs = []expression{{path + ".ratio.numerator", s.Ratio.Numerator}, {path + ".ratio.denominator", s.Ratio.Denominator}}
	case l.has(path + ".expr"):
		exprs = []expression{{path + ".expr", s.Expr}}
	default:
		l.fail(path, "set expr or ratio", "nothing to measure")
		return
	}

	if !l.has(path + ".kind") {
		d.Kind = "auto"
	} else if l.oneOf(path+".kind", s.Kind, "auto", "gauge", "count", "ratio") {
		switch {
		case s.Kind == "ratio" && s.Ratio == nil:
			l.fail(path+".kind", "write ratio: {numerator: ..., denominator: ...} instead of expr", "ratio needs its two parts")
		case s.Kind != "ratio" && s.Kind != "auto" && s.Ratio != nil:
			l.fail(path+".kind", "leave it out", "%s contradicts ratio", s.Kind)
		}
	}

	retention := l.cfg.Engine.Live.Retention
	lookback := l.cfg.Global.Lookback
	if s.Lookback > 0 {
		lookback = s.Lookback
	}
	var longest time.Duration
	anyRange := false
	before := len(l.errs.Problems)
	for _, e := range exprs {
		if e.text == "" {
			l.fail(e.path, "", "is missing")
			continue
		}
		reach, ranged := l.expression(e.path, e.text, lookback)
		if reach > retention && l.cfg.Remote == nil {
			l.fail(e.path, "shorten it or raise the retention", "needs %s of samples, engine.embedded.live.retention keeps %s", written(reach), written(retention))
		}
		longest, anyRange = max(longest, reach), anyRange || ranged
	}
	if !l.has(path+".window") || len(l.errs.Problems) > before {
		return
	}
	switch {
	case s.Window < d.Interval:
		l.fail(path+".window", "leave it out: values that do not overlap need none", "%s is shorter than the interval of %s", written(s.Window), written(d.Interval))
	case s.Window > retention:
		l.fail(path+".window", "", "%s is longer than engine.embedded.live.retention of %s", written(s.Window), written(retention))
	case anyRange && s.Window > longest:
		l.fail(path+".window", "window is the range of the expression", "%s is longer than the %s the expression looks at", written(s.Window), written(longest))
	}
}
