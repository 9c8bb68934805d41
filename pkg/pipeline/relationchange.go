package pipeline

import (
	"context"
	"fmt"

	"github.com/baseliner/baseliner/pkg/correlate"
)

// Compared is what went on after an instant.
type Compared struct {
	Changes []correlate.Change
	Bad     map[string]Member // by name, for what is bad news of it
	Traffic string            // that was held equal; empty when none is known
	Until   int64             // hours since 1970 UTC
	FDR     float64
}

// Compare compares all series before and after an instant, with the hours that are final at now (both unix milliseconds). It reads
// the ledger and takes a second for hundreds of series: it is for reports.
func (r *Relations) Compare(ctx context.Context, at, now int64) (*Compared, error) {
	r.mu.RLock()
	o := r.o
	r.mu.RUnlock()
	members, forgotten := o.Members()
	change := floorHour(at + hourMillis - 1)
	end := min(floorHour(now-finalHour.Milliseconds()), change+2*correlate.HoursPerWeek)
	begin := change - relationWeeks*correlate.HoursPerWeek
	if end <= change {
		return nil, fmt.Errorf("compare with before: no whole hour since %s is known yet", clockText(at))
	}
	f := &correlate.Frame{First: begin, Slots: make([]int16, end-begin)}
	for i := range f.Slots {
		f.Slots[i] = int16(o.Zone.HourOfWeek((begin + int64(i)) * hourMillis))
	}
	out := &Compared{Bad: map[string]Member{}, Until: end, FDR: o.Options.FDR}
	var all []*correlate.Series
	var volume *correlate.Series
	held := traffic(members)
	known := f.Rows() // first row that any series has
	for i := range members[:min(len(members), maxDrivers)] {
		m := &members[i]
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		s, err := m.hoursOf(o.Ledger, forgotten, f)
		if err != nil {
			return nil, fmt.Errorf("read history of %s: %w", m.Name, err)
		}
		if held != nil && m.Name == held.Name {
			volume, out.Traffic = s, s.Name
		}
		out.Bad[m.Name] = *m
		all = append(all, s)
		for row := range known {
			if s.Values[row] == s.Values[row] {
				known = row
				break
			}
		}
	}
	if known = min(known, int(change-begin)); known > 0 {
		f = f.Part(known, f.Rows())
		for i, s := range all {
			all[i] = s.Part(known, len(s.Values))
			if s == volume {
				volume = all[i]
			}
		}
	}
	var err error
	out.Changes, err = correlate.Changes(f, all, volume, int(change-f.First), f.Rows(), o.Options)
	return out, err
}
