package alert

// Merge is the one notification that tells a receiver both: what an older notification would have told, had it left,
// and a newer one of the same group. Of an episode the newer word counts, except that what has ended stays so.
func (n *Notification) Merge(newer *Notification) Notification {
	out := *newer
	out.Alerts = append([]Episode(nil), newer.Alerts...)
	at := make(map[string]int, len(out.Alerts))
	for i := range out.Alerts {
		at[out.Alerts[i].Key()] = i
	}
	for i := range n.Alerts {
		e := &n.Alerts[i]
		if k, ok := at[e.Key()]; !ok {
			out.Alerts = append(out.Alerts, *e)
		} else if !e.Firing {
			out.Alerts[k] = *e
		}
	}
	order(out.Alerts)
	out.Reason = mergeReasons(n.Reason, newer.Reason, out.Firing())
	return out
}

// Firing says whether any alert of the notification fires.
func (n *Notification) Firing() bool {
	for i := range n.Alerts {
		if n.Alerts[i].Firing {
			return true
		}
	}
	return false
}

// mergeReasons keeps the news that neither has told yet.
func mergeReasons(older, newer string, firing bool) string {
	has := func(r string) bool { return older == r || newer == r }
	switch {
	case !firing:
		return ReasonAllResolved
	case has(ReasonFirst):
		return ReasonFirst
	case has(ReasonNew):
		return ReasonNew
	case has(ReasonSomeResolved), has(ReasonAllResolved):
		return ReasonSomeResolved
	}
	return newer
}

// Halve splits a notification that a receiver finds too large; ok is false when one alert is all it has.
func (n *Notification) Halve() (first, second Notification, ok bool) {
	if len(n.Alerts) < 2 {
		return first, second, false
	}
	half := (len(n.Alerts) + 1) / 2
	first, second = *n, *n
	first.Alerts, second.Alerts = n.Alerts[:half:half], n.Alerts[half:]
	return first, second, true
}

// OnlyFiring leaves out what has ended, for those who do not want to hear of ends. ok is false when that leaves no news.
func (n *Notification) OnlyFiring() (out Notification, ok bool) {
	out = *n
	out.Alerts = nil
	for i := range n.Alerts {
		if n.Alerts[i].Firing {
			out.Alerts = append(out.Alerts, n.Alerts[i])
		}
	}
	return out, len(out.Alerts) > 0 && n.Reason != ReasonSomeResolved
}
