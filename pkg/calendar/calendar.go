package calendar

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"sort"
)

const day = 24 * hour

// maxGroups is how many groups fit a day's entry.
const maxGroups = 255

// A day's entry: its group, the weekday whose hours it has, and whether timed events change that for a part of it.
const (
	entryGroup   = 0xff
	entryWeekday = 8 // shift of three bits
	entrySpans   = 1 << 11
)

// Calendar maps instants to contexts of the business: the hour of the week, and what is special about the day. It is
// immutable: use it from any goroutine. It holds a Zone, whose own HourOfWeek knows no special days.
type Calendar struct {
	*Zone
	days   []uint16 // by days since 1970-01-01, local; nil when no day is special
	spans  []span   // timed events: ascending, not overlapping
	blocks []int32  // first span that ends behind the begin of a block of instants
	names  []string // of the groups; names[0] is no group
	hashed string   // the fingerprint
}

// span is a part of a timed event, in milliseconds.
type span struct {
	from   int64
	length uint32 // at most 50 days: longer ones are several
	group  uint8
	like   Like
}

func (s *span) to() int64 { return s.from + int64(s.length) }

// New lays out the rules in a zone, for the years 1970 to 2099; other times have no special days. rules may be nil. An
// error says which rule cannot be followed.
func New(zone *Zone, rules *Rules) (*Calendar, error) {
	c := &Calendar{Zone: zone, names: []string{""}}
	if rules.Empty() {
		return c, nil
	}
	b := newBuilder(rules)
	if len(b.names) > maxGroups {
		return nil, fmt.Errorf("calendar names %d groups, at most %d are told apart: give the file with the most names one name", len(b.names), maxGroups)
	}
	c.names = append(c.names, b.names...)
	if err := b.fill(zone); err != nil {
		return nil, err
	}
	c.days, c.spans = b.entries(), b.spans
	c.index()
	c.hashed = c.hash()
	return c, nil
}

// Groups returns how many groups there are.
func (c *Calendar) Groups() int { return len(c.names) - 1 }

// GroupName returns the name of a group from 1 to Groups, by which it is known over restarts and changes of the rules;
// "" for 0.
func (c *Calendar) GroupName(g int) string { return c.names[g] }

// GroupNamed returns the number of the group of that name, 0 when there is none.
func (c *Calendar) GroupNamed(name string) int {
	if i, ok := slices.BinarySearch(c.names[1:], name); ok {
		return i + 1
	}
	return 0
}

// Fingerprint is equal exactly when every instant has the same context; "" without special days.
func (c *Calendar) Fingerprint() string { return c.hashed }

// HourOfWeek returns the slot, 0 to 167, whose ordinary shape the instant borrows: its local hour of the week, or on a
// holiday the same hour of a Sunday.
func (c *Calendar) HourOfWeek(ms int64) int {
	slot, _ := c.At(ms)
	return slot
}

// Group returns the number of what is special about the instant, 1 to Groups; 0 when nothing is.
func (c *Calendar) Group(ms int64) int {
	_, group := c.At(ms)
	return group
}

// At returns HourOfWeek and Group for the price of one.
func (c *Calendar) At(ms int64) (slot, group int) {
	local := ms + c.Offset(ms)
	h := uint64(local) / uint64(hour) // huge before the epoch
	d := h / 24
	if d >= uint64(len(c.days)) {
		slot := (floorDiv(local, hour) + epochHour) % HoursPerWeek
		if slot < 0 {
			slot += HoursPerWeek
		}
		return int(slot), 0
	}
	e := c.days[d]
	weekday, group := int(e>>entryWeekday&7), int(e&entryGroup)
	if e&entrySpans != 0 {
		if s := c.span(ms); s != nil {
			group = int(s.group)
			switch {
			case s.like == LikeOwn:
				weekday = int(Day(d).Weekday())
			case s.like > LikeOwn:
				weekday = int(s.like - LikeSunday)
			}
		}
	}
	return weekday*24 + int(h-d*24), group
}

// span returns the timed event at ms, nil when there is none.
func (c *Calendar) span(ms int64) *span {
	b := ms >> blockBits
	if b < 0 || b+1 >= int64(len(c.blocks)) {
		return nil
	}
	lo, hi := int(c.blocks[b]), int(c.blocks[b+1])
	for lo < hi { // the first one that ends behind ms
		mid := int(uint(lo+hi) / 2)
		if c.spans[mid].to() <= ms {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo < len(c.spans) && c.spans[lo].from <= ms {
		return &c.spans[lo]
	}
	return nil
}

// index fills blocks, so that span has little to search.
func (c *Calendar) index() {
	if len(c.spans) == 0 {
		return
	}
	last := c.spans[len(c.spans)-1].to() >> blockBits
	for b := range last + 2 {
		at := sort.Search(len(c.spans), func(i int) bool { return c.spans[i].to() > b<<blockBits })
		c.blocks = append(c.blocks, int32(at))
	}
}

// Describe names the moment for people: "Fri 14:00 Europe/Berlin, Black Friday".
func (c *Calendar) Describe(ms int64) string {
	text := c.Zone.Describe(ms)
	if g := c.Group(ms); g > 0 {
		text += ", " + c.names[g]
	}
	return text
}

func (c *Calendar) hash() string {
	b := make([]byte, 0, 2*len(c.days)+18*len(c.spans)+64*len(c.names))
	for _, e := range c.days {
		b = binary.LittleEndian.AppendUint16(b, e)
	}
	for _, s := range c.spans {
		b = binary.LittleEndian.AppendUint64(b, uint64(s.from))
		b = binary.LittleEndian.AppendUint32(b, s.length)
		b = append(b, s.group, byte(s.like))
	}
	for _, n := range c.names {
		b = append(append(b, n...), 0xff)
	}
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:8])
}

// builder collects what applies to each day. Rules come in the order of who decides: what is decided stays.
type builder struct {
	rules *Rules
	names []string // sorted
	group []uint8  // by day; 0 is undecided
	like  []Like
	fixed []bool // decided by a date: timed events do not count
	marks []bool // days with timed events
	spans []span
}

func newBuilder(r *Rules) *builder {
	days := DayOf(endYear, 1, 1)
	b := &builder{rules: r, group: make([]uint8, days), like: make([]Like, days), fixed: make([]bool, days), marks: make([]bool, days)}
	for i := range r.Dates {
		b.names = append(b.names, r.Dates[i].group())
	}
	for i := range r.Events {
		b.names = append(b.names, r.Events[i].Name)
	}
	if len(r.Countries) > 0 {
		b.names = append(b.names, HolidayGroup)
	}
	for i := range r.Cycles {
		b.names = append(b.names, r.Cycles[i].Name)
	}
	slices.Sort(b.names)
	b.names = slices.Compact(b.names)
	return b
}

func (b *builder) number(name string) uint8 {
	i, _ := slices.BinarySearch(b.names, name)
	return uint8(i + 1)
}

// mark applies a rule to a day, as far as no rule before it did.
func (b *builder) mark(d Day, group uint8, like Like) {
	if d < 0 || int(d) >= len(b.group) {
		return
	}
	if b.group[d] == 0 {
		b.group[d] = group
	}
	if b.like[d] == LikeUnset {
		b.like[d] = like
	}
}

// fill goes through the rules in the order of who decides.
func (b *builder) fill(zone *Zone) error {
	free := make([]bool, len(b.group))
	holiday := func(d Day) {
		if d >= 0 && int(d) < len(free) {
			free[d] = true
		}
	}
	for i := range b.rules.Dates {
		d := &b.rules.Dates[i]
		b.mark(d.Day, b.number(d.group()), d.like())
		if d.Day >= 0 && int(d.Day) < len(b.fixed) {
			b.fixed[d.Day] = true
		}
		if d.group() == HolidayGroup {
			holiday(d.Day)
		}
	}
	for i := range b.rules.Events {
		e := &b.rules.Events[i]
		if e.Kind != AllDay {
			continue
		}
		g := b.number(e.Name)
		for _, start := range e.Starts {
			for d := max(start, 0); d < min(start+e.Length, int64(len(b.group))); d++ {
				b.mark(Day(d), g, e.Like)
				if e.Name == HolidayGroup {
					holiday(Day(d))
				}
			}
		}
	}
	for i := range b.rules.Countries {
		c, g := &b.rules.Countries[i], b.number(HolidayGroup)
		like := c.Like
		if like == LikeUnset {
			like = LikeSunday
		}
		if err := c.each(func(d Day) { b.mark(d, g, like); holiday(d) }); err != nil {
			return err
		}
	}
	for i := range b.rules.Cycles {
		c := &b.rules.Cycles[i]
		g := b.number(c.Name)
		c.each(func(d Day) bool { return d >= 0 && int(d) < len(free) && free[d] }, func(d Day) { b.mark(d, g, LikeUnset) })
	}
	b.timed(zone)
	return nil
}

// entries packs what was collected.
func (b *builder) entries() []uint16 {
	out := make([]uint16, len(b.group))
	for d := range out {
		weekday := Day(d).Weekday()
		e := uint16(b.group[d])
		if l := b.like[d]; l > LikeOwn {
			e |= uint16(l-LikeSunday) << entryWeekday
		} else {
			e |= uint16(weekday) << entryWeekday
		}
		if b.marks[d] && !b.fixed[d] {
			e |= entrySpans
		}
		out[d] = e
	}
	return out
}
