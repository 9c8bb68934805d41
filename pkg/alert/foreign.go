package alert

import "slices"

// Reconcile takes up what others say of their silences now: known is what was known of them before, heard what they
// list. Origins in unheard said nothing, and theirs stay as they are. What is new counts from now on; what is not listed any
// more ended now, and is still known for keep milliseconds, because a restart asks what was silenced before it. changed is
// false when nothing is to be done. The result shares nothing with its inputs.
func Reconcile(known, heard []Silence, unheard map[string]bool, now, keep int64) (out []Silence, changed bool) {
	listed := make([]bool, len(heard))
	for _, k := range known {
		if k.EndsAt < now-keep {
			changed = true
			continue
		}
		if k.EndsAt > now && !unheard[k.Origin] {
			i := slices.IndexFunc(heard, func(h Silence) bool { return h.same(&k) })
			end := now
			if i >= 0 {
				listed[i] = true
				end = max(heard[i].EndsAt, now)
			}
			changed = changed || end != k.EndsAt
			k.EndsAt = end
		}
		out = append(out, k)
	}
	for i, h := range heard {
		if !listed[i] && h.EndsAt > now {
			h.Since, changed = now, true
			out = append(out, h)
		}
	}
	return out, changed
}

// same says whether two are the same silence, which may have been prolonged or cut short.
func (s *Silence) same(o *Silence) bool {
	return s.ID == o.ID && s.Source == o.Source && s.Origin == o.Origin && s.StartsAt == o.StartsAt && slices.Equal(s.Matchers, o.Matchers)
}
