package config

import (
	"errors"
	"time"

	"github.com/baseliner/baseliner/pkg/signal"
)

// The false alarms that detection may cost unless configured otherwise.
var (
	budgetPerSignal = rate{1, 7 * 24 * time.Hour}
	budgetInTotal   = rate{7, 7 * 24 * time.Hour}
)

// ParseBudget reads a number of false alarms such as 1/w and returns it a week.
func ParseBudget(text string) (perWeek float64, err error) {
	var r rate
	if err := r.parse(text); err != nil {
		return 0, err
	}
	return r.budget()
}

// Budgets outside these bounds say something else than they mean to.
const (
	leastBudget = 0.01 // one in two years: nobody lives to see whether it is kept
	mostBudget  = 1e6  // a week
)

func (r rate) budget() (perWeek float64, err error) {
	if b := r.perWeek(); b >= leastBudget && b <= mostBudget {
		return b, nil
	}
	return 0, errBudget
}

var errBudget = errors.New("is not between 1/100w and 1000000/w")

func (l *loader) budget(s *detectionSchema) {
	l.cfg.Budget = signal.Budget{
		Signal: l.perWeek("detection.budget.signal", s.Budget.Signal),
		Total:  l.perWeek("detection.budget.total", s.Budget.Total),
	}
}

func (l *loader) perWeek(path string, r rate) float64 {
	if r.per == 0 { // the decoder refused it
		return 0
	}
	b, err := r.budget()
	if err != nil {
		l.fail(path, "", "%v", err)
	}
	return b
}
