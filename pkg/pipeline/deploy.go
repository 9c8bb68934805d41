package pipeline

// deploy opens a fresh level for a series about which something was deployed since it was seen last: where it settles is
// learnt within hours, not days.
func (s *Signal) deploy(sr *Series, t int64) {
	if s.core.marks == nil {
		return
	}
	marks, since := s.core.marks(), sr.lastSeen
	if since == 0 {
		return // a series that is born has no level to leave
	}
	if marks.deployed(since, t) && len(marks.Deploys(since, t, s.Label(sr))) > 0 {
		sr.model.FreshLevel()
	}
}
