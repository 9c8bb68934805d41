package signal

import (
	"time"

	"github.com/prometheus/prometheus/promql/parser"
)

// Shape is what the form of a signal's expression says about its values.
type Shape struct {
	// Sum says that the value is a sum over series, or a count of them: it falls when some of them are not seen. A
	// quotient, a mean, a quantile or a maximum does not, or not by as much.
	Sum bool
	// Reach is how far back the longest range looks, offsets apart.
	Reach time.Duration
}

// Shape reads the form off the expression. One that cannot be parsed has none.
func (d *Definition) Shape() (s Shape) {
	exprs := []string{d.Expr}
	if d.Ratio != nil {
		exprs = []string{d.Ratio.Numerator, d.Ratio.Denominator}
	}
	for _, text := range exprs {
		e, err := parser.NewParser(parser.Options{}).ParseExpr(text)
		if err != nil {
			return Shape{}
		}
		s.Sum = s.Sum || sums(e)
		parser.Inspect(e, func(n parser.Node, above []parser.Node) error {
			if m, ok := n.(*parser.MatrixSelector); ok {
				reach := m.Range
				for _, a := range above {
					if sub, ok := a.(*parser.SubqueryExpr); ok {
						reach += sub.Range
					}
				}
				s.Reach = max(s.Reach, reach)
			}
			return nil
		})
	}
	s.Sum = s.Sum && d.Ratio == nil
	return s
}

// sums tells whether a node's value is as large as what is seen of what it adds up.
func sums(n parser.Expr) bool {
	switch n := n.(type) {
	case *parser.AggregateExpr:
		switch n.Op {
		case parser.SUM, parser.COUNT:
			return true
		}
		return sums(n.Expr) // of sums
	case *parser.ParenExpr:
		return sums(n.Expr)
	case *parser.StepInvariantExpr:
		return sums(n.Expr)
	case *parser.UnaryExpr:
		return sums(n.Expr)
	case *parser.SubqueryExpr:
		return sums(n.Expr)
	case *parser.Call:
		if n.Func.Name == "histogram_quantile" || n.Func.Name == "histogram_fraction" || n.Func.Name == "histogram_avg" {
			return false // of a distribution, whose size does not matter
		}
		for _, a := range n.Args {
			if sums(a) {
				return true
			}
		}
	case *parser.BinaryExpr:
		left, right := sums(n.LHS), sums(n.RHS)
		if n.Op == parser.DIV && left && right {
			return false // both sides miss the same
		}
		return left || right
	}
	return false
}
