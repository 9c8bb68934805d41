package calendar

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/teambition/rrule-go"
)

// occurrences lists when an event starts, recurrences, additions and exceptions considered.
func (r *icsReader) occurrences(e *icsEvent) ([]time.Time, error) {
	starts := []time.Time{e.start}
	if e.rule != "" {
		var err error
		if starts, err = r.recur(e); err != nil {
			return nil, err
		}
	}
	starts = append(starts, e.more...)
	slices.SortFunc(starts, time.Time.Compare)
	starts = slices.CompactFunc(starts, time.Time.Equal)
	excepted := map[int64]bool{}
	for _, t := range e.except {
		excepted[t.Unix()] = true
	}
	return slices.DeleteFunc(starts, func(t time.Time) bool {
		return excepted[t.Unix()] || e.exceptDay[DayOf(t.Date())] || e.uid != "" && r.replaced[e.uid][t.Unix()]
	}), nil
}

// recur expands the rule of an event, in its own zone, up to the end of the calendar.
func (r *icsReader) recur(e *icsEvent) (out []time.Time, err error) {
	defer func() {
		if p := recover(); p != nil { // BYDAY=10FR in every month is more than the library can count
			out, err = nil, fmt.Errorf("RRULE %q cannot be followed: %v", e.rule, p)
		}
	}()
	if r.recurring--; r.recurring < 0 {
		return nil, fmt.Errorf("is one of more than %d recurring events: split the file, or drop some", maxRecurring)
	}
	o, err := rrule.StrToROptionInLocation(e.rule, e.start.Location())
	if err != nil {
		return nil, fmt.Errorf("RRULE %q: %w", e.rule, err)
	}
	switch {
	case o.Freq == rrule.HOURLY || o.Freq == rrule.MINUTELY || o.Freq == rrule.SECONDLY:
		return nil, fmt.Errorf("RRULE %q recurs within a day: what happens every hour is no special hour", e.rule)
	case strings.Contains(e.rule, "INTERVAL=") && (o.Interval < 1 || o.Interval > 1000):
		return nil, fmt.Errorf("RRULE %q: INTERVAL is not between 1 and 1000", e.rule)
	case o.Count < 0:
		return nil, fmt.Errorf("RRULE %q: COUNT is negative", e.rule)
	case len(o.Byeaster) > 0:
		return nil, fmt.Errorf("RRULE %q: BYEASTER is not part of iCalendar", e.rule)
	}
	o.Dtstart = e.start
	end := time.Date(endYear, 1, 2, 0, 0, 0, 0, time.UTC)
	if o.Until.IsZero() || o.Until.After(end) {
		o.Until = end
	}
	rule, err := rrule.NewRRule(*o)
	if err != nil {
		return nil, fmt.Errorf("RRULE %q: %w", e.rule, err)
	}
	begin := time.Date(firstYear, 1, 1, 0, 0, 0, 0, time.UTC).Add(-e.length - 24*time.Hour)
	next := rule.Iterator()
	for {
		t, ok := next()
		if !ok {
			return out, nil
		}
		if r.budget--; r.budget < 0 {
			return nil, fmt.Errorf("RRULE %q: the events of the file recur more than %d times", e.rule, maxRecurrence)
		}
		if t.After(begin) {
			out = append(out, t)
		}
	}
}

var isoDuration = regexp.MustCompile(`^\+?P(?:(\d{1,4})W)?(?:(\d{1,5})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,8})M)?(?:(\d{1,9})S)?)?$`)

// parseISODuration reads P1W, P2D or PT4H30M.
func parseISODuration(text string) (time.Duration, error) {
	m := isoDuration.FindStringSubmatch(strings.TrimSpace(text))
	if m == nil {
		return 0, fmt.Errorf("%q is not a duration such as P1D or PT4H30M", text)
	}
	var d time.Duration
	units := []time.Duration{7 * 24 * time.Hour, 24 * time.Hour, time.Hour, time.Minute, time.Second}
	for i, unit := range units {
		if m[i+1] != "" {
			n, err := strconv.Atoi(m[i+1])
			if err != nil {
				return 0, err
			}
			d += time.Duration(n) * unit
		}
	}
	if d == 0 && !strings.ContainsAny(text, "0123456789") {
		return 0, errors.New("holds no number")
	}
	return d, nil
}
