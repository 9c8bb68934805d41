package pipeline

import (
	"slices"

	"github.com/baseliner/baseliner/pkg/baseline"
	"github.com/baseliner/baseliner/pkg/detect"
	"github.com/baseliner/baseliner/pkg/series"
)

// lend lets the young series of a signal borrow from its grown ones; where there are none, from those of the signal that the
// configuration names. It comes before the points of a tick, so that what is lent depends on no order among them.
func (c *Core) lend(s *Signal, t int64) {
	s.young = slices.DeleteFunc(s.young, func(sr *Series) bool { return !sr.model.Young() })
	if len(s.young) == 0 {
		return
	}
	if p := baseline.Pool(s.lenders()); p != nil {
		for _, sr := range s.young {
			sr.model.Borrow(p, s.modelTime(t))
		}
		return
	}
	other := c.byName[s.Def.BorrowFrom]
	if other == nil {
		return
	}
	var all *baseline.Prior // of the series that have no namesake there
	asked := false
	for _, sr := range s.young {
		if from := other.find(sr.Labels); from != nil {
			if from.well() {
				sr.model.Borrow(baseline.Pool([]*baseline.Model{from.model}), s.modelTime(t))
			}
			continue
		}
		if !asked {
			all, asked = baseline.Pool(other.lenders()), true
		}
		sr.model.Borrow(all, s.modelTime(t))
	}
}

// lenders are the models of those series that are well.
func (s *Signal) lenders() (models []*baseline.Model) {
	for _, sr := range s.series {
		if sr.well() {
			models = append(models, sr.model)
		}
	}
	return models
}

// well tells whether a series may lend: it is grown, and neither silent nor in an incident.
func (sr *Series) well() bool {
	return sr.missing == series.Observed && sr.anomaly.Phase == detect.Inactive && sr.model.Lends()
}
