package promql

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/baseliner/baseliner/pkg/series"
)

// defaultSubqueryStep is the resolution of a subquery that names none.
const defaultSubqueryStep = time.Minute

// requirement says whose freshness a result depends on: the expression without everything but its selectors.
type requirement struct {
	kind     requirementKind
	selector int   // of a leaf: its place in the order in which the engine selects
	window   int64 // of a leaf: milliseconds that its range and the subqueries around it span; 0 for an instant
	kin      []kinship
	of       []requirement
}

// kinship is what stands between a selector and the result when it comes to labels, innermost first: functions that
// rewrite a label, and matchings that look at some of them only.
type kinship struct {
	rewrite func(labels.Labels) labels.Labels // nil: a matching
	on      bool                              // the names are all that is compared; else all but them is
	names   []string
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
	r := requireBare(node, order, window)
	switch n := node.(type) {
	case *parser.Call:
		if f := rewriting(n); f != nil {
			r.addKin(kinship{rewrite: f})
		}
	}
	return r
}

// addKin puts a kinship around every leaf.
func (r *requirement) addKin(k kinship) {
	r.kin = append(r.kin, k)
	for i := range r.of {
		r.of[i].addKin(k)
	}
}

func requireBare(node parser.Node, order map[*parser.VectorSelector]int, window time.Duration) requirement {
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
		if m := n.VectorMatching; m != nil && (m.Card == parser.CardManyToOne || m.Card == parser.CardOneToMany) {
			many, one := require(n.LHS, order, window), require(n.RHS, order, window)
			if m.Card == parser.CardOneToMany {
				many, one = one, many
			}
			one.addKin(kinship{on: m.On, names: m.MatchingLabels}) // the result has the labels of the many
			return requirement{kind: all, of: []requirement{many, one}}
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

// rewriting returns what label_replace and label_join do to labels; nil for any other function.
func rewriting(call *parser.Call) func(labels.Labels) labels.Labels {
	text := make([]string, 0, len(call.Args))
	for _, a := range call.Args[min(1, len(call.Args)):] {
		if s, ok := a.(*parser.StringLiteral); ok {
			text = append(text, s.Val)
		}
	}
	set := func(ls labels.Labels, name, value string) labels.Labels {
		return labels.NewBuilder(ls).Set(name, value).Labels()
	}
	switch {
	case call.Func.Name == "label_replace" && len(text) == 4:
		dst, replacement, src := text[0], text[1], text[2]
		re, err := regexp.Compile("^(?s:" + text[3] + ")$")
		if err != nil {
			return nil // the engine refuses it
		}
		return func(ls labels.Labels) labels.Labels {
			v := ls.Get(src)
			m := re.FindStringSubmatchIndex(v)
			if m == nil {
				return ls
			}
			return set(ls, dst, string(re.ExpandString(nil, replacement, v, m)))
		}
	case call.Func.Name == "label_join" && len(text) >= 2:
		return func(ls labels.Labels) labels.Labels {
			values := make([]string, 0, len(text)-2)
			for _, name := range text[2:] {
				values = append(values, ls.Get(name))
			}
			return set(ls, text[0], strings.Join(values, text[1]))
		}
	}
	return nil
}

// related reports whether a series may have contributed to a result with these labels: once rewritten as on the way to
// it, no label contradicts the result.
func (r *requirement) related(in labels.Labels, result series.Labels) bool {
	compared := func(string) bool { return true }
	for _, k := range r.kin {
		if k.rewrite != nil {
			in = k.rewrite(in)
			continue
		}
		before := compared
		compared = func(name string) bool { return before(name) && slices.Contains(k.names, name) == k.on }
	}
	for _, l := range result {
		if v := in.Get(l.Name); v != "" && v != l.Value && compared(l.Name) {
			return false
		}
	}
	return true
}
