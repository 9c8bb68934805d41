package baseline

// A model forgets by never having seen: the slow model is folded again without the hours that are not to count, and the
// recent course begins anew. Which hours those are is for others to say.

// Ends tells whether the open hour ends before the instant t (unix milliseconds).
func (m *Model) Ends(t int64) bool { return m.Open.N > 0 && hourOf(t) > int64(m.Open.Hour) }

// Close ends the open hour. learn says whether it is folded into the slow model; an hour that was withheld is not,
// whatever learn says. ok is false when nothing was open, or when history has that hour already and knows it better.
func (m *Model) Close(learn bool) (closed Summary, ok bool) {
	closed, ok = m.closeOpen()
	if !ok || m.knows(closed.Hour) {
		return closed, false
	}
	if !learn || closed.Flags&Withheld != 0 { // the next one is to take the level anew
		m.Open.Flags |= closed.Flags & FreshLevel
	}
	if learn {
		m.Fold(&closed)
	}
	return closed, true
}

// Fold takes the next summary of a history, oldest first, and reports whether it taught anything: what is not newer than
// the last, or was withheld, does not.
func (m *Model) Fold(s *Summary) bool {
	m.frame.ok = false
	return m.fold(s)
}

// knows tells whether the slow model holds the hour, or a later one.
func (m *Model) knows(hour int32) bool { return m.past().Hours > 0 && hour <= m.past().LastHour }

// Withhold keeps the open hour from ever being folded. Call it before the step of a point that is not to teach.
func (m *Model) Withhold() { m.Open.Flags |= Withheld }

// Relearn takes over the slow model of another model of the same series and begins a new recent course. The open hour
// stays.
func (m *Model) Relearn(from *Model) {
	m.Groups = append([]Group(nil), from.Groups...)
	if m.Ratio != nil {
		m.Past, m.Proportion = from.Past, from.Proportion
	} else {
		m.Slow = from.Slow
	}
	m.loan = from.loan
	m.frame.ok = false
	m.Restart()
}

// Twin returns a model of the same series that knows nothing but what was lent to it.
func (m *Model) Twin() *Model {
	t := &Model{calendar: m.calendar, step: m.step, share: m.share, counts: m.counts}
	if m.Ratio != nil {
		t.Ratio = &Ratio{}
	} else {
		t.Values = &Values{}
	}
	if m.loan != nil {
		own := *m.loan
		t.loan = &own
	}
	return t
}
