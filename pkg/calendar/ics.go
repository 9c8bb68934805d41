package calendar

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	ics "github.com/arran4/golang-ical"
)

// Bounds on what one .ics file may ask of us.
const (
	maxEvents     = 10_000
	maxRecurring  = 1_000
	maxRecurrence = 500_000 // occurrences in all
	maxComplaints = 10
	maxLength     = 366 * 24 * time.Hour // of one event
)

// ParseICS reads the events of an iCalendar file (RFC 5545), recurring ones expanded for the years 1970 to 2099. With a
// name, all of them belong to that group; without, each to the group of its summary. Cancelled events and those without
// a length mark nothing. An error lists what is wrong with which event.
func ParseICS(b []byte, name string, like Like) ([]Event, error) {
	b = bytes.TrimPrefix(b, []byte("\ufeff"))
	if text := bytes.TrimSpace(b); !bytes.HasSuffix(text, []byte("END:VCALENDAR")) {
		return nil, errors.New("is not an iCalendar file, or is cut short: it does not end with END:VCALENDAR")
	}
	file, err := ics.ParseCalendarWithOptions(bytes.NewReader(b), ics.WithUnknownPropertyHandler(ics.AcceptUnknownPropertyHandler))
	if err != nil {
		return nil, err
	}
	all := file.Events()
	if len(all) > maxEvents {
		return nil, fmt.Errorf("has %d events, at most %d are read", len(all), maxEvents)
	}
	r := &icsReader{zones: zonesOf(file), budget: maxRecurrence, recurring: maxRecurring, replaced: map[string]map[int64]bool{}}
	lines := linesOf(b)
	var parsed []*icsEvent
	var wrong []error
	complain := func(i int, err error) {
		at := "event " + summary(all[i])
		if len(lines) == len(all) {
			at = fmt.Sprintf("line %d: %s", lines[i], at)
		}
		wrong = append(wrong, fmt.Errorf("%s: %w", at, err))
	}
	for i, e := range all {
		p, err := r.event(e)
		if err == nil && p.name == "" && name == "" {
			err = errors.New("has no SUMMARY to name its group: give it one, or the file a name")
		}
		if err != nil {
			complain(i, err)
		}
		parsed = append(parsed, p)
	}
	var out []Event
	for i, p := range parsed {
		if p == nil || p.cancelled || p.length <= 0 {
			continue
		}
		starts, err := r.occurrences(p)
		if err != nil {
			complain(i, err)
			continue
		}
		if name != "" {
			p.name = name
		}
		if e := p.event(starts, like); len(e.Starts) > 0 {
			out = append(out, e)
		}
	}
	if len(wrong) > maxComplaints {
		wrong = append(wrong[:maxComplaints], fmt.Errorf("and %d more", len(wrong)-maxComplaints))
	}
	return out, errors.Join(wrong...)
}

// linesOf returns the numbers of the lines on which events begin.
func linesOf(b []byte) (lines []int) {
	n := 0
	for line := range bytes.Lines(b) {
		if n++; string(bytes.TrimSpace(line)) == "BEGIN:VEVENT" {
			lines = append(lines, n)
		}
	}
	return lines
}

func summary(e *ics.VEvent) string {
	p := e.GetProperty(ics.ComponentPropertySummary)
	if p == nil {
		return "without SUMMARY"
	}
	return fmt.Sprintf("%q", groupName(p.Value))
}

// groupName makes a summary fit for one line.
func groupName(s string) string {
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s, "")), " ")
	if r := []rune(s); len(r) > 100 {
		s = string(r[:100])
	}
	return s
}

// zonesOf maps the names a file gives its zones to those of the IANA database, where it says so.
func zonesOf(file *ics.Calendar) map[string]string {
	m := map[string]string{}
	for _, z := range file.Timezones() {
		id, location := z.GetProperty("TZID"), z.GetProperty("X-LIC-LOCATION")
		if id != nil && location != nil {
			m[id.Value] = location.Value
		}
	}
	return m
}

// icsEvent is an event with its times read.
type icsEvent struct {
	uid, name string
	cancelled bool
	kind      EventKind
	start     time.Time     // AllDay and Floating count in UTC
	length    time.Duration // of AllDay, whole days
	rule      string
	more      []time.Time // RDATE
	except    []time.Time // EXDATE
	exceptDay map[Day]bool
}

// event leaves out what the calendar does not cover, with a day to spare for the zones.
func (e *icsEvent) event(starts []time.Time, like Like) Event {
	unit := int64(1)
	if e.kind == AllDay {
		unit = day
	}
	out := Event{Name: e.name, Like: like, Kind: e.kind, Length: (e.length.Milliseconds() + unit - 1) / unit}
	end := int64(DayOf(endYear, 1, 2)) * day
	for _, t := range starts {
		if from := t.UnixMilli(); from+e.length.Milliseconds() > -day && from < end {
			out.Starts = append(out.Starts, floorDiv(from, unit))
		}
	}
	out.Starts = slices.Clip(out.Starts)
	return out
}

type icsReader struct {
	zones     map[string]string
	budget    int // occurrences still allowed
	recurring int // recurring events still allowed
	// replaced are the occurrences, by UID and unix seconds, that an event of their own stands for.
	replaced map[string]map[int64]bool
}

// event reads the properties that matter.
func (r *icsReader) event(e *ics.VEvent) (*icsEvent, error) {
	out := &icsEvent{kind: AllDay, exceptDay: map[Day]bool{}}
	var start, end, duration, recurrence *ics.IANAProperty
	for i := range e.Properties {
		p := &e.Properties[i]
		switch strings.ToUpper(p.IANAToken) {
		case "UID":
			out.uid = p.Value
		case "SUMMARY":
			out.name = groupName(p.Value)
		case "STATUS":
			out.cancelled = strings.EqualFold(p.Value, "CANCELLED")
		case "DTSTART":
			start = p
		case "DTEND":
			end = p
		case "DURATION":
			duration = p
		case "RECURRENCE-ID":
			recurrence = p
		case "RRULE":
			if out.rule != "" {
				return nil, errors.New("has more than one RRULE: split it into one event each")
			}
			out.rule = p.Value
		case "EXRULE":
			return nil, errors.New("EXRULE is not supported: list the dates as EXDATE")
		}
	}
	if start == nil {
		return nil, errors.New("has no DTSTART")
	}
	var err error
	if out.start, out.kind, err = r.time(start, start.Value); err != nil {
		return nil, fmt.Errorf("DTSTART: %w", err)
	}
	if y := out.start.Year(); y < 1000 || y > 9000 {
		return nil, fmt.Errorf("DTSTART: year %d is out of range", y)
	}
	if out.length, err = r.length(out, end, duration); err != nil {
		return nil, err
	}
	if out.length > maxLength {
		return nil, fmt.Errorf("lasts %d days, more than a year: nothing is ordinary then", out.length/(24*time.Hour))
	}
	if err := r.lists(e, out); err != nil {
		return nil, err
	}
	if recurrence == nil {
		return out, nil
	}
	if v := recurrence.ICalParameters["RANGE"]; len(v) > 0 {
		return nil, errors.New("RECURRENCE-ID with RANGE is not supported: end the old event and begin another")
	}
	t, _, err := r.time(recurrence, recurrence.Value)
	if err != nil {
		return nil, fmt.Errorf("RECURRENCE-ID: %w", err)
	}
	if r.replaced[out.uid] == nil {
		r.replaced[out.uid] = map[int64]bool{}
	}
	r.replaced[out.uid][t.Unix()] = true
	out.uid = "" // it is not replaced by itself
	return out, nil
}

// lists reads EXDATE and RDATE, which may each come several times and hold several dates.
func (r *icsReader) lists(e *ics.VEvent, out *icsEvent) error {
	for i := range e.Properties {
		p := &e.Properties[i]
		token := strings.ToUpper(p.IANAToken)
		if token != "EXDATE" && token != "RDATE" || p.Value == "" {
			continue
		}
		for text := range strings.SplitSeq(p.Value, ",") {
			t, kind, err := r.time(p, text)
			switch {
			case err != nil:
				return fmt.Errorf("%s: %w", token, err)
			case token == "RDATE" && (kind == AllDay) != (out.kind == AllDay):
				return errors.New("RDATE and DTSTART are not both dates, or both times")
			case token == "RDATE":
				out.more = append(out.more, t)
			case kind == AllDay || out.kind == AllDay:
				out.exceptDay[DayOf(t.Date())] = true
			default:
				out.except = append(out.except, t)
			}
		}
	}
	return nil
}

// length is DTEND − DTSTART, or DURATION. A date without either is that day.
func (r *icsReader) length(e *icsEvent, end, duration *ics.IANAProperty) (time.Duration, error) {
	switch {
	case end != nil:
		t, kind, err := r.time(end, end.Value)
		if err != nil {
			return 0, fmt.Errorf("DTEND: %w", err)
		}
		if (kind == AllDay) != (e.kind == AllDay) || (kind == Floating) != (e.kind == Floating) {
			return 0, errors.New("DTEND and DTSTART are not of one kind: dates, times, or times in a zone")
		}
		d := t.Sub(e.start)
		if d < 0 {
			return 0, errors.New("DTEND is before DTSTART")
		}
		if e.kind == AllDay {
			d = max(d, 24*time.Hour)
		}
		return d, nil
	case duration != nil:
		d, err := parseISODuration(duration.Value)
		if err != nil {
			return 0, fmt.Errorf("DURATION: %w", err)
		}
		return d, nil
	case e.kind == AllDay:
		return 24 * time.Hour, nil
	}
	return 0, nil
}

// time reads a date, a time, a time in UTC or a time in the zone that the property names.
func (r *icsReader) time(p *ics.IANAProperty, text string) (time.Time, EventKind, error) {
	text = strings.TrimSpace(text)
	bad := fmt.Errorf("%q is neither a date such as 20261127 nor a time such as 20261127T190000", text)
	if len(text) == len("20261127") {
		t, err := time.Parse("20060102", text)
		if err != nil {
			return t, AllDay, bad
		}
		return t, AllDay, nil
	}
	if utc, ok := strings.CutSuffix(text, "Z"); ok {
		t, err := time.Parse("20060102T150405", utc)
		if err != nil {
			return t, Timed, bad
		}
		return t, Timed, nil
	}
	loc, kind := time.UTC, Floating
	if id := p.ICalParameters["TZID"]; len(id) > 0 {
		var err error
		if loc, err = r.zone(id[0]); err != nil {
			return time.Time{}, Timed, err
		}
		kind = Timed
	}
	t, err := time.ParseInLocation("20060102T150405", text, loc)
	if err != nil {
		return t, kind, bad
	}
	return t, kind, nil
}

// zone finds the IANA zone that a file means: by its name, by what its VTIMEZONE says, by Outlook's name, or at the end
// of a path.
func (r *icsReader) zone(id string) (*time.Location, error) {
	base, above := path.Base(id), path.Base(path.Dir(id))
	for _, name := range []string{id, r.zones[id], outlook[id], above + "/" + base, path.Base(path.Dir(path.Dir(id))) + "/" + above + "/" + base} {
		if name == "" || name == "Local" {
			continue
		}
		if loc, err := time.LoadLocation(name); err == nil {
			return loc, nil
		}
	}
	return nil, fmt.Errorf("TZID %q is no IANA time zone such as Europe/Berlin", id)
}
