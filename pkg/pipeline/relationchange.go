package pipeline

import (
	"context"
	"fmt"

	"github.com/baseliner/baseliner/pkg/correlate"
)

// Compared is what went on after an instant.
type Compared struct {
	Changes []correlate.Change
	*Hours
	FDR float64
}

// Hours are the summaries of all series on one frame, from the first row that any has.
type Hours struct {
	Frame   *correlate.Frame
	All     []*correlate.Series
	Volume  *correlate.Series // one of All; nil when there is no traffic
	Members map[string]Member
	End     int64 // hours since 1970 UTC of the first row after it
}

// Traffic is the name of the volume; empty when there is none.
func (h *Hours) Traffic() string {
	if h.Volume == nil {
		return ""
	}
	return h.Volume.Name
}

// Compare compares all series before and after an instant, with the hours that are final at now (both unix milliseconds). It reads
// the ledger and takes a second for hundreds of series: it is for reports.
func (r *Relations) Compare(ctx context.Context, at, now int64) (*Compared, error) {
	o := r.options()
	change := floorHour(at + hourMillis - 1)
	end := min(floorHour(now-finalHour.Milliseconds()), change+2*correlate.HoursPerWeek)
	if end <= change {
		return nil, fmt.Errorf("compare with before: no whole hour since %s is known yet", clockText(at))
	}
	h, err := o.read(ctx, change-relationWeeks*correlate.HoursPerWeek, end, change)
	if err != nil {
		return nil, err
	}
	c := &Compared{Hours: h, FDR: o.Options.FDR}
	c.Changes, err = correlate.Changes(h.Frame, h.All, h.Volume, int(change-h.Frame.First), h.Frame.Rows(), o.Options)
	return c, err
}

// Recent are the hours of the last weeks that are final at now, unix milliseconds.
func (r *Relations) Recent(ctx context.Context, now int64) (*Hours, error) {
	o := r.options()
	end := floorHour(now - finalHour.Milliseconds())
	return o.read(ctx, end-relationWeeks*correlate.HoursPerWeek, end, end)
}

func (r *Relations) options() RelationsOptions {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.o
}

// read reads the hours from begin to before end. Rows before the first known one are cut off, up to a row that has to stay.
func (o *RelationsOptions) read(ctx context.Context, begin, end, stay int64) (*Hours, error) {
	all, forgotten := o.Members()
	members, _ := hourly(all)
	h := &Hours{Frame: &correlate.Frame{First: begin, Slots: make([]int16, end-begin)}, Members: map[string]Member{}, End: end}
	for i := range h.Frame.Slots {
		h.Frame.Slots[i] = int16(o.Zone.HourOfWeek((begin + int64(i)) * hourMillis))
	}
	held := traffic(members)
	known := int(stay - begin)
	if n := len(members) - maxDrivers; n > 0 {
		o.Logger.Warn("a report is of some series only: there are too many", "left_out", n, "at_most", maxDrivers, "first", members[maxDrivers].Name)
	}
	for i := range members[:min(len(members), maxDrivers)] {
		m := &members[i]
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		s, err := m.hoursOf(o.Ledger, forgotten, h.Frame)
		if err != nil {
			return nil, fmt.Errorf("read history of %s: %w", m.Name, err)
		}
		if held != nil && m.Name == held.Name {
			h.Volume = s
		}
		h.Members[m.Name] = *m
		h.All = append(h.All, s)
		for row := range known {
			if s.Values[row] == s.Values[row] {
				known = row
				break
			}
		}
	}
	rows := h.Frame.Rows()
	h.Frame = h.Frame.Part(known, rows)
	for i, s := range h.All {
		h.All[i] = s.Part(known, rows)
		if s == h.Volume {
			h.Volume = h.All[i]
		}
	}
	return h, nil
}
