package pipeline

import (
	"go.etcd.io/bbolt"

	"github.com/baseliner/baseliner/pkg/alert"
	"github.com/baseliner/baseliner/pkg/alert/outbox"
)

// SetFacts says who knows what the weekly digest tells beside what was counted: the report of the week that ends at due. f is
// called from the announcer's goroutine, which waits, and must not ask the announcer for more than PastAlerts. Call it before Run.
func (a *Announcer) SetFacts(f func(due int64) alert.Facts) { a.facts = f }

func (a *Announcer) digestFacts(due int64) (f alert.Facts) {
	if a.facts != nil {
		f = a.facts(due)
	}
	f.DeadLetters = a.deliverer.Dead()
	return f
}

// PastAlerts returns what is remembered of alerts that began in [from, to), unix milliseconds, oldest first: 60 days, 10,000 alerts.
func (a *Announcer) PastAlerts(from, to int64) (ps []outbox.Past, err error) {
	err = a.db.View(func(tx *bbolt.Tx) (err error) {
		ps, err = outbox.PastAlerts(tx, from, to, a.deliverer.Damaged)
		return err
	})
	return ps, err
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
