package signal

import (
	"slices"
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
		if slices.ContainsFunc(n.Args, sums) {
			return true
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

// ResultLabels are the names of the labels that results have, sorted, as far as the expression alone says.
func (d *Definition) ResultLabels() (names []string, known bool) {
	if d.Ratio != nil {
		return nil, false
	}
	e, err := parser.NewParser(parser.Options{}).ParseExpr(d.Expr)
	if err != nil {
		return nil, false
	}
	return resultLabels(e)
}

func resultLabels(n parser.Expr) (names []string, known bool) {
	switch n := n.(type) {
	case *parser.AggregateExpr:
		if n.Without || n.Op == parser.COUNT_VALUES || n.Op == parser.TOPK || n.Op == parser.BOTTOMK || n.Op == parser.LIMITK || n.Op == parser.LIMIT_RATIO {
			return nil, false
		}
		names = slices.Clone(n.Grouping)
		slices.Sort(names)
		return names, true
	case *parser.ParenExpr:
		return resultLabels(n.Expr)
	case *parser.UnaryExpr:
		return resultLabels(n.Expr)
	case *parser.SubqueryExpr:
		return resultLabels(n.Expr)
	case *parser.Call:
		if n.Func.Name == "label_replace" || n.Func.Name == "label_join" || n.Func.Name == "absent" {
			return nil, false
		}
		for _, a := range n.Args {
			if a.Type() == parser.ValueTypeVector || a.Type() == parser.ValueTypeMatrix {
				names, known = resultLabels(a)
				if n.Func.Name == "histogram_quantile" || n.Func.Name == "histogram_fraction" {
					names = slices.DeleteFunc(names, func(l string) bool { return l == "le" })
				}
				return names, known
			}
		}
	case *parser.BinaryExpr:
		switch {
		case n.RHS.Type() == parser.ValueTypeScalar:
			return resultLabels(n.LHS)
		case n.LHS.Type() == parser.ValueTypeScalar:
			return resultLabels(n.RHS)
		}
		left, ok := resultLabels(n.LHS)
		right, too := resultLabels(n.RHS)
		if ok && too && slices.Equal(left, right) {
			return left, true
		}
	}
	return nil, false
}
