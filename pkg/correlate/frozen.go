package correlate

// Thaw gives a study the pairs of a frozen one of the same week: what was decided then stays, whatever the data say now. Drivers that
// were not tried then are not shown.
func (s *Study) Thaw(frozen *Study) {
	was := make(map[string]*Pair, len(frozen.Pairs))
	for i := range frozen.Pairs {
		was[frozen.Pairs[i].Driver] = &frozen.Pairs[i]
	}
	for i := range s.Pairs {
		p := &s.Pairs[i]
		if old, ok := was[p.Driver]; ok {
			*p = *old
		} else {
			*p = Pair{Driver: p.Driver, Layer: p.Layer, Unit: p.Unit, P: 1, Q: 1, Why: "it was not there when the week was evaluated"}
		}
	}
}

// Trim drops what only the evaluation needed: of drivers that are not shown nothing is left but their pair, and what moved during
// incidents.
func (s *Study) Trim() {
	e := s.evaluation
	if e == nil || s.moved != nil {
		return
	}
	moved := map[Span]movers{}
	for _, span := range s.Incidents() {
		moved[span] = s.movedIn(span)
	}
	s.moved = moved
	kept := map[string]bool{s.Outcome: true}
	for i := range s.Pairs {
		if p := &s.Pairs[i]; p.Shown {
			kept[p.Driver] = true
		} else {
			s.columns[i], p.Profile, p.maybe = nil, nil, nil
		}
	}
	e.without = nil
	drivers := e.in.Drivers
	e.in.Drivers = nil
	for _, d := range drivers {
		if kept[d.Name] {
			e.in.Drivers = append(e.in.Drivers, d)
		}
	}
	s.groups = nil
}
