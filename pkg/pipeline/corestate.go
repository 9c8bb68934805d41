package pipeline

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/baseliner/baseliner/pkg/baseline"
	"github.com/baseliner/baseliner/pkg/detect"
	"github.com/baseliner/baseliner/pkg/series"
)

// signalFixed and seriesFixed are the parts of the state that have a fixed size.
type signalFixed struct{ Absence detect.Absence }

type seriesFixed struct {
	Anomaly  detect.State
	Absence  detect.Absence
	Missing  series.Missing
	LastSeen int64
}

// AppendBinary encodes the state of every series behind b. Equal states give equal bytes.
func (c *Core) AppendBinary(b []byte) ([]byte, error) {
	var err error
	b = binary.AppendUvarint(b, uint64(len(c.signals)))
	for _, s := range c.signals {
		b = appendString(appendString(appendString(b, s.Def.Name), s.identity), s.learntFrom())
		if b, err = binary.Append(b, binary.LittleEndian, signalFixed{s.absence}); err != nil {
			return nil, err
		}
		b = binary.AppendUvarint(b, uint64(len(s.series)))
		for _, sr := range s.series {
			b = binary.AppendUvarint(b, uint64(len(sr.Labels)))
			for _, l := range sr.Labels {
				b = appendString(appendString(b, l.Name), l.Value)
			}
			f := seriesFixed{sr.anomaly, sr.absence, sr.missing, sr.lastSeen}
			if b, err = binary.Append(b, binary.LittleEndian, &f); err != nil {
				return nil, err
			}
			if b, err = sr.model.AppendBinary(b); err != nil {
				return nil, err
			}
		}
	}
	if b, err = c.appendBudgets(b); err != nil {
		return nil, err
	}
	if b, err = c.appendCoverage(b); err != nil {
		return nil, err
	}
	return c.appendStories(b)
}

// UnmarshalBinary takes over the state of those signals that are still what they were. dropped names the others: their
// definition changed, or they are gone. A signal whose calendar changed, or of whose history other hours count, is outdated
// until that is folded anew.
func (c *Core) UnmarshalBinary(b []byte) (dropped []string, err error) {
	d := &decoder{b: b}
	for range d.uvarint() {
		name, identity, learntFrom := d.string(), d.string(), d.string()
		var sf signalFixed
		d.fixed(&sf)
		s := c.byName[name]
		if s != nil && s.identity != identity {
			s = nil
		}
		if s == nil {
			dropped = append(dropped, name)
		} else {
			s.outdated = learntFrom != s.learntFrom()
			s.absence = sf.Absence
			s.absence.Firing = s.absence.Firing && s.Def.AbsentFor == 0
		}
		for range d.uvarint() {
			ls := make(series.Labels, d.uvarint())
			for i := range ls {
				ls[i] = series.Label{Name: d.string(), Value: d.string()}
			}
			var f seriesFixed
			d.fixed(&f)
			if d.err != nil {
				return nil, d.err
			}
			if s == nil {
				d.model(baseline.New(nil, 0))
				continue
			}
			sr := s.add(ls)
			d.model(sr.model)
			sr.anomaly, sr.absence = f.Anomaly, f.Absence
			sr.missing, sr.lastSeen = f.Missing, f.LastSeen
			sr.absence.Firing = sr.absence.Firing && s.Def.AbsentFor > 0
		}
	}
	if d.err == nil && len(d.b) > 0 { // there was no more in snapshots of before there were budgets
		c.takeBudgets(d)
	}
	if d.err == nil && len(d.b) > 0 { // nor of before reporters were counted
		c.takeCoverage(d)
	}
	if d.err == nil && len(d.b) > 0 { // nor of before there were incidents
		c.takeStories(d)
	}
	if d.err == nil && len(d.b) > 0 {
		d.err = fmt.Errorf("%d bytes too many", len(d.b))
	}
	if d.err != nil {
		return nil, fmt.Errorf("decode state of models: %w", d.err)
	}
	return dropped, nil
}

// learntFrom is equal for equal folds of the same history: the same calendar, and the same windows left out.
func (s *Signal) learntFrom() string {
	text := s.Zone.Fingerprint()
	if f := s.core.forgotten.fingerprint(); f != "" {
		text += " without " + f
	}
	return text
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// decoder reads until the first error, which sticks.
type decoder struct {
	b   []byte
	err error
}

var errCut = errors.New("cut short")

func (d *decoder) uvarint() int {
	v, n := binary.Uvarint(d.b)
	if n <= 0 || v > uint64(len(d.b)) { // every counted thing takes at least a byte
		d.b, d.err = nil, errors.Join(d.err, errCut)
		return 0
	}
	d.b = d.b[n:]
	return int(v)
}

func (d *decoder) string() string {
	n := d.uvarint()
	if n > len(d.b) {
		d.b, d.err = nil, errors.Join(d.err, errCut)
		return ""
	}
	s := string(d.b[:n])
	d.b = d.b[n:]
	return s
}

func (d *decoder) fixed(v any) {
	n, err := binary.Decode(d.b, binary.LittleEndian, v)
	if err != nil {
		d.b, d.err = nil, errors.Join(d.err, errCut)
		return
	}
	d.b = d.b[n:]
}

func (d *decoder) model(m *baseline.Model) {
	if d.err != nil {
		return
	}
	d.b, d.err = m.DecodeBinary(d.b)
}
