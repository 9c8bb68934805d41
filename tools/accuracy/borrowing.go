package main

import "github.com/baseliner/baseliner/pkg/baseline"

// borrow lets a young series take from its siblings what it cannot know yet. It is called before every row of the young one
// in its first 25 hours, with siblings that have seen the rows before that time.
type borrow func(unix int64, young *detector, siblings []*detector)

// borrowing is how the product borrows; nil while it does not.
var borrowing borrow = func(unix int64, young *detector, siblings []*detector) {
	if !young.model.Young() {
		return
	}
	models := make([]*baseline.Model, len(siblings))
	for i, s := range siblings {
		models[i] = s.model
	}
	young.model.Borrow(baseline.Pool(models), unix*1000)
}
