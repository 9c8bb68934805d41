package promql

import (
	"time"

	"github.com/prometheus/prometheus/promql/parser"
)

// defaultSubqueryStep is the resolution of a subquery that names none.
const defaultSubqueryStep = time.Minute

// requirement says whose freshness a result depends on: the expression without everything but its selectors.
type requirement struct {
	kind     requirementKind
	selector int   // of a leaf: its place in the order in which the engine selects
	window   int64 // of a leaf: milliseconds that its range and the subqueries around it span; 0 for an instant
	of       []requirement
}

type requirementKind uint8

const (
	nothing requirementKind = iota // constants, time(), absent(): nothing to be fresh
	leaf                           // a selector
	all                            // every part
	either                         // one part: the sides of "or"
)

// requirements reads them off an expression.
func requirements(expr parser.Expr) requirement {
	// The engine selects in the order of Inspect; so do we.
	order := map[*parser.VectorSelector]int{}
	parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
		if s, ok := n.(*parser.VectorSelector); ok {
			order[s] = len(order)
		}
		return nil
	})
	return require(expr, order, 0)
}

func require(node parser.Node, order map[*parser.VectorSelector]int, window time.Duration) requirement {
	switch n := node.(type) {
	case *parser.VectorSelector:
		return requirement{kind: leaf, selector: order[n], window: window.Milliseconds()}
	case *parser.MatrixSelector:
		return require(n.VectorSelector, order, window+n.Range)
	case *parser.SubqueryExpr:
		step := n.Step
		if step == 0 {
			step = defaultSubqueryStep
		}
		// Steps are aligned to the epoch, so the first may lie nearly a step inside the range.
		return require(n.Expr, order, window+max(n.Range-step, 0))
	case *parser.Call:
		if n.Func.Name == "absent" || n.Func.Name == "absent_over_time" {
			return requirement{}
		}
	case *parser.BinaryExpr:
		switch n.Op {
		case parser.LOR:
			return requirement{kind: either, of: []requirement{require(n.LHS, order, window), require(n.RHS, order, window)}}
		case parser.LUNLESS:
			return require(n.LHS, order, window)
		}
	}
	var of []requirement
	for child := range parser.ChildrenIter(node) {
		if r := require(child, order, window); r.kind != nothing {
			of = append(of, r)
		}
	}
	switch len(of) {
	case 0:
		return requirement{}
	case 1:
		return of[0]
	}
	return requirement{kind: all, of: of}
}
