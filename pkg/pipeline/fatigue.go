package pipeline

import "github.com/baseliner/baseliner/pkg/alert"

// SetFacts says who knows which signals cost more than their budgets, for the weekly digest. f is called from the announcer's
// goroutine. Call it before Run.
func (a *Announcer) SetFacts(f func() []string) { a.facts = f }

func (a *Announcer) digestFacts() alert.Facts {
	f := alert.Facts{DeadLetters: a.deliverer.Dead()}
	if a.facts != nil {
		f.Budgets = a.facts()
	}
	return f
}

// unpublish forgets receivers that may have lost their budget.
func (a *Announcer) unpublish() {
	m := a.deliverer.Guards()
	m.Left.Reset()
	m.Summarised.Reset()
}

// publish shows what the guards against too many notifications did.
func (a *Announcer) publish(now int64) {
	m := a.deliverer.Guards()
	m.Flapping.Set(float64(a.machine.Flaps()))
	for receiver, spilt := range a.machine.Allowances() {
		left, _ := a.machine.Left(receiver, now)
		m.Left.WithLabelValues(receiver).Set(float64(left))
		m.Summarised.WithLabelValues(receiver).Set(float64(spilt))
	}
}
