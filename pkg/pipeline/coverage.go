package pipeline

import (
	"encoding/binary"

	"github.com/baseliner/baseliner/pkg/detect"
	"github.com/baseliner/baseliner/pkg/series"
)

// coverageAfter is how long reporters have to be missing before that is an alert: a rollout takes some of them away for
// minutes.
const coverageAfter = detect.DefaultAbsentFor

// cover counts who reported behind an observed point, and returns the share of what it adds up that was not seen. While
// much of a sum is lost, its hours are not learnt; when that is over, its course begins anew.
func (s *Signal) cover(sr *Series, p series.Point) (lack float64) {
	if p.Missing != series.Observed {
		return 0
	}
	if sr.coverage == nil && (p.Reporters > 1 || s.lacks != nil) { // who stands on one reporter is there or missing
		sr.coverage = &detect.Coverage{}
	}
	c := sr.coverage
	switch {
	case s.lacks != nil:
		lack = s.lacks[p.T]
	case c == nil || p.Reporters == 0:
		return 0
	default:
		var forGood bool
		lack, forGood = c.Step(s.slotAt(p.T), p.T, int(p.Reporters), s.shape.Reach)
		if !s.shape.Sum {
			return 0
		}
		if c.Lost {
			sr.model.Withhold()
		} else if forGood {
			sr.model.FreshLevel()
		}
	}
	if c.Run(lack) {
		sr.model.Restart()
	}
	return lack
}

// slotAt is the hour of the week, found once a tick.
func (s *Signal) slotAt(t int64) int {
	if s.slotOf != t {
		s.slotOf = t
		s.slot, _ = s.Zone.At(t)
	}
	return s.slot
}

// stepCoverage tells when a signal lost reporters.
func (s *Signal) stepCoverage(t int64, out *Output) {
	since := s.lostSince(t)
	e, ok := s.uncovered.Step(coverageAfter, t, since)
	if !ok {
		return
	}
	out.Events = append(out.Events, Occurrence{Signal: s, Coverage: s.shortfall(), Event: e})
}

// lostSince is when the first of the series lost reporters, 0 when none has. A series that has shown nothing for a day is no
// sum of which a part is missing.
func (s *Signal) lostSince(t int64) (first int64) {
	for _, sr := range s.series {
		if c := sr.coverage; c != nil && c.Lost && t-sr.lastSeen < dayMillis && (first == 0 || c.Since < first) {
			first = c.Since
		}
	}
	return first
}

// Shortfall is how many reporters a signal has, and usually has; of the series that lost any, or of all when none did.
type Shortfall struct {
	Reporting, Usual float64
	Lost, Series     int // series that lost reporters, and all
}

func (s *Signal) shortfall() *Shortfall {
	f := &Shortfall{Series: len(s.series)}
	for _, sr := range s.series {
		if c := sr.coverage; c != nil && c.Lost {
			f.Lost++
			f.Reporting, f.Usual = f.Reporting+float64(c.Count), f.Usual+float64(c.Usual)
		}
	}
	if f.Lost > 0 {
		return f
	}
	for _, sr := range s.series {
		if c := sr.coverage; c != nil {
			f.Reporting, f.Usual = f.Reporting+float64(c.Count), f.Usual+float64(c.Usual)
		}
	}
	return f
}

// appendCoverage encodes what is known of reporters, by signal and series.
func (c *Core) appendCoverage(b []byte) (_ []byte, err error) {
	b = binary.AppendUvarint(b, uint64(len(c.signals)))
	for _, s := range c.signals {
		b = appendString(appendString(b, s.Def.Name), s.identity)
		if b, err = binary.Append(b, binary.LittleEndian, &s.uncovered); err != nil {
			return nil, err
		}
		n := 0
		for _, sr := range s.series {
			if sr.coverage != nil {
				n++
			}
		}
		b = binary.AppendUvarint(b, uint64(n))
		for _, sr := range s.series {
			if sr.coverage == nil {
				continue
			}
			if b, err = binary.Append(appendString(b, sr.key), binary.LittleEndian, sr.coverage); err != nil {
				return nil, err
			}
		}
	}
	return b, nil
}

// takeCoverage reads what appendCoverage wrote. Signals that are gone or changed are left out.
func (c *Core) takeCoverage(d *decoder) {
	for range d.uvarint() {
		s := c.byName[d.string()]
		if identity := d.string(); s != nil && s.identity != identity {
			s = nil
		}
		var uncovered detect.Uncovered
		d.fixed(&uncovered)
		if s != nil {
			s.uncovered = uncovered
		}
		for range d.uvarint() {
			key, coverage := d.string(), &detect.Coverage{}
			d.fixed(coverage)
			if s != nil && s.byKey[key] != nil {
				s.byKey[key].coverage = coverage
			}
		}
	}
}
