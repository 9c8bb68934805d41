package config

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	commonconfig "github.com/prometheus/common/config"
	"go.yaml.in/yaml/v3"

	"github.com/baseliner/baseliner/pkg/calendar"
)

var country = regexp.MustCompile(`^[A-Z]{2}$`)

// calendar gathers what is special about some days. All signals share it.
func (l *loader) calendar(s *calendarSchema) {
	rules := &calendar.Rules{}
	for i := range s.Holidays {
		if path := index("calendar.holidays", i); l.isMapping(path) {
			l.holiday(path, &s.Holidays[i], rules)
		}
	}
	for i, n := range s.Cycles {
		l.cycle(index("calendar.cycles", i), n, rules)
	}
	if rules.Empty() {
		return
	}
	zone, err := calendar.Load("UTC")
	if err == nil {
		_, err = calendar.New(zone, rules) // what no single entry shows: too many groups
	}
	if err != nil {
		l.fail("calendar", "", "%s", err)
		return
	}
	l.cfg.Calendar = rules
}

// holiday reads one entry, which is one of three.
func (l *loader) holiday(path string, h *holidaySchema, rules *calendar.Rules) {
	set := 0
	for _, key := range []string{"country", "file", "date"} {
		if l.has(path + "." + key) {
			set++
		}
	}
	if set != 1 {
		l.fail(path, "", "has %d of country, file and date, want one", set)
	}
	if h.Region != "" && h.Country == "" {
		l.fail(path+".region", "", "belongs to no country")
	}
	h.Name = strings.Join(strings.Fields(h.Name), " ")
	switch {
	case h.Name != "" && h.Country != "":
		l.fail(path+".name", "", "names no date and no file")
	case l.has(path+".name") && h.Name == "":
		l.fail(path+".name", "leave it out", "is empty")
	case len(h.Name) > 100:
		l.fail(path+".name", "", "is longer than 100 bytes")
	}
	var like calendar.Like
	if l.has(path + ".like") {
		var err error
		if like, err = calendar.ParseLike(h.Like); err != nil {
			l.fail(path+".like", "", "%s", err)
		}
	}
	switch {
	case set != 1:
		if h.Country != "" && !country.MatchString(h.Country) {
			l.fail(path+".country", "use a code of ISO 3166 such as DE", "%q is not a country", h.Country)
		}
	case h.Country != "":
		l.country(path, h, like, rules)
	case h.File != "":
		l.events(path+".file", h, like, rules)
	case h.Date != "":
		if d, err := calendar.ParseDay(string(h.Date)); err == nil { // else the decoder said so
			rules.Dates = append(rules.Dates, calendar.Date{Day: d, Name: h.Name, Like: like})
		}
	}
}

func (l *loader) country(path string, h *holidaySchema, like calendar.Like, rules *calendar.Rules) {
	if !country.MatchString(h.Country) {
		l.fail(path+".country", "use a code of ISO 3166 such as DE", "%q is not a country", h.Country)
		return
	}
	c := calendar.Country{Code: h.Country, Region: h.Region, Like: like}
	if err := c.Check(); err != nil {
		at := path + ".country"
		if h.Region != "" && slices.Contains(calendar.Countries(), h.Country) {
			at = path + ".region"
		}
		l.fail(at, "", "%s", err)
		return
	}
	rules.Countries = append(rules.Countries, c)
}

func (l *loader) events(path string, h *holidaySchema, like calendar.Like, rules *calendar.Rules) {
	b, err := readFile(commonconfig.JoinDir(l.dir, h.File), maxReferenced)
	if err != nil {
		return // said already, as of every file that cannot be read
	}
	events, err := calendar.ParseICS(b, h.Name, like)
	if err != nil {
		for cause := range strings.SplitSeq(err.Error(), "\n") {
			l.fail(path, "", "%s: %s", h.File, cause)
		}
		return
	}
	rules.Events = append(rules.Events, events...)
}

var namedCycles = map[string]calendar.Cycle{calendar.MonthEnd.Name: calendar.MonthEnd, calendar.MonthStart.Name: calendar.MonthStart}

// cycle reads a name, or a mapping.
func (l *loader) cycle(path string, n *yaml.Node, rules *calendar.Rules) {
	if n == nil {
		return // empty, and the decoder said so
	}
	if n.Kind == yaml.ScalarNode {
		if l.oneOf(path, n.Value, calendar.MonthEnd.Name, calendar.MonthStart.Name) {
			rules.Cycles = append(rules.Cycles, namedCycles[n.Value])
		}
		return
	}
	before := len(l.errs.Problems)
	var s cycleSchema
	l.decode(n, path, n.Line, reflect.ValueOf(&s).Elem())
	if !l.isMapping(path) {
		return
	}
	c := calendar.Cycle{Name: strings.Join(strings.Fields(s.Name), " "), MonthDay: s.MonthDay, Nth: s.Nth, Offset: s.Offset}
	byDay, byWeekday := l.has(path+".monthday"), l.has(path+".weekday")
	switch {
	case byDay == byWeekday:
		l.fail(path, "write {monthday: 25}, or {weekday: tue, nth: 2}", "has %s of monthday and weekday, want one", map[bool]string{true: "both", false: "none"}[byDay])
	case byDay && l.has(path+".nth"):
		l.fail(path+".nth", "", "belongs to weekday")
	case byDay && (s.MonthDay < 1 || s.MonthDay > 31):
		l.fail(path+".monthday", "", "%d is not between 1 and 31", s.MonthDay)
	case byWeekday && !l.has(path+".nth"):
		l.fail(path+".nth", "1 to 5, or -1 for the last", "is missing")
	case byWeekday && (s.Nth == 0 || s.Nth < -5 || s.Nth > 5):
		l.fail(path+".nth", "1 to 5, or -1 for the last", "%d is not between 1 and 5, nor between -5 and -1", s.Nth)
	}
	if s.Offset < -31 || s.Offset > 31 {
		l.fail(path+".offset", "", "%d days is not between -31 and 31", s.Offset)
	}
	var err error
	if byWeekday {
		if c.Weekday, err = calendar.ParseWeekday(s.Weekday); err != nil {
			l.fail(path+".weekday", "", "%s", err)
		}
	}
	for i, name := range s.Months {
		m, err := calendar.ParseMonth(name)
		if err != nil {
			l.fail(index(path+".months", i), "", "%s", err)
		}
		c.Months = append(c.Months, m)
	}
	if len(l.errs.Problems) > before {
		return
	}
	if c.Name == "" {
		c.Name = cycleName(&c)
	}
	rules.Cycles = append(rules.Cycles, c)
}

// cycleName is what a cycle is called that nobody named: "day 25", "tuesday 2", "thursday 4 in november, +1".
func cycleName(c *calendar.Cycle) string {
	name := fmt.Sprintf("day %d", c.MonthDay)
	if c.MonthDay == 0 {
		name = fmt.Sprintf("%s %d", c.Weekday, c.Nth)
	}
	for i, m := range c.Months {
		name += []string{" in ", " and "}[min(i, 1)] + m.String()
	}
	if c.Offset != 0 {
		name += fmt.Sprintf(", %+d", c.Offset)
	}
	return strings.ToLower(name)
}
