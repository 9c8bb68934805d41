package correlate

// Confirm compares an evaluation with the one a week before: grade A needs both. previous may be nil. What the one before does not
// confirm is B, and says so.
func (f *Family) Confirm(previous *Family) {
	for _, s := range f.Studies {
		for i := range s.Pairs {
			if p := &s.Pairs[i]; p.Grade == Reliable {
				p.confirm(previous.pair(f.Method, s.Outcome, p.Driver))
			}
		}
	}
}

// pair is nil where there is no such evaluation, or one by another method.
func (f *Family) pair(method, outcome, driver string) *Pair {
	if f == nil || f.Method != method {
		return nil
	}
	return f.Find(outcome, driver)
}

func (p *Pair) confirm(before *Pair) {
	switch {
	case before == nil || before.Why != "":
		p.Grade = Plausible
		p.Doubts = append(p.Doubts, "it was not evaluated the week before")
	case !before.Shown || before.Grade < Plausible || before.Effect.Coef*p.Effect.Coef < 0:
		p.Grade = Plausible
		p.Doubts = append(p.Doubts, "the evaluation a week before did not find it")
	}
}

// EvaluateTwice evaluates all inputs as one family, and once more without their last week, which confirms. Both are returned; the
// earlier one is nil where weeks are too few.
func EvaluateTwice(inputs []Input, o Options) (now, before *Family, err error) {
	if now, err = evaluateAll(inputs, o); err != nil {
		return nil, nil, err
	}
	var earlier []Input
	for _, in := range inputs {
		if in.Frame.Weeks() > MinWeeks {
			earlier = append(earlier, in.Part(0, in.Frame.Rows()-HoursPerWeek))
		}
	}
	if len(earlier) > 0 {
		if f, err := evaluateAll(earlier, o); err == nil { // else the outcome began a week ago, and nothing confirms
			before = f
		}
	}
	now.Confirm(before)
	return now, before, nil
}

func evaluateAll(inputs []Input, o Options) (*Family, error) {
	var studies []*Study
	for _, in := range inputs {
		s, err := Try(in, o)
		if err != nil {
			return nil, err
		}
		studies = append(studies, s)
	}
	return Decide(studies, o), nil
}
