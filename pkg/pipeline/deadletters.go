package pipeline

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/baseliner/baseliner/pkg/alert"
)

// deadLetters returns the transitions of the alerts about dead letters: one for each receiver that has some, told to the
// others, over once they are replayed or dropped.
func (a *Announcer) deadLetters(now int64) (ts []alert.Transition) {
	letters := map[string]int{}
	for endpoint, n := range a.deliverer.Dead() {
		receiver, _, _ := strings.Cut(endpoint, "/")
		letters[receiver] += n
	}
	a.machine.Firing(func(e *alert.Episode) {
		if !e.Meta() {
			return
		}
		receiver := e.Labels["receiver"]
		if letters[receiver] == 0 {
			t := e.Transition
			t.Firing, t.EndsAt = false, max(now, t.StartsAt)
			ts = append(ts, t)
		}
		delete(letters, receiver)
	})
	for _, receiver := range slices.Sorted(maps.Keys(letters)) {
		ts = append(ts, alert.Transition{
			Firing: true, StartsAt: now,
			Labels: map[string]string{"alertname": alert.MetaDeadLetters, "receiver": receiver, "severity": "critical", "type": "delivery"},
			Annotations: map[string]string{
				"summary":     fmt.Sprintf("Receiver %s does not get its alerts", receiver),
				"description": fmt.Sprintf("%d notifications for receiver %s were given up and are kept as dead letters. See them with baseliner dlq list; replay or drop them once the receiver works.", letters[receiver], receiver),
			},
		})
	}
	return ts
}
