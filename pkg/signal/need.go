package signal

import (
	"fmt"
	"slices"

	"github.com/prometheus/prometheus/promql/parser"
)

// Need says which metrics an expression reads: some of them all, of the sides of an "or" one.
type Need struct {
	metric string // of a leaf
	all    []Need
	any    []Need
}

// Needs returns what a definition needs: of a ratio both parts.
func Needs(d *Definition) (Need, error) {
	exprs := []string{d.Expr}
	if d.Ratio != nil {
		exprs = []string{d.Ratio.Numerator, d.Ratio.Denominator}
	}
	var n Need
	for _, text := range exprs {
		e, err := parser.NewParser(parser.Options{}).ParseExpr(text)
		if err != nil {
			return Need{}, fmt.Errorf("signal %s: %w", d.Name, err)
		}
		n.all = append(n.all, needOf(e))
	}
	return n, nil
}

func needOf(e parser.Node) Need {
	switch e := e.(type) {
	case *parser.VectorSelector:
		return Need{metric: e.Name}
	case *parser.BinaryExpr:
		switch e.Op {
		case parser.LOR:
			return Need{any: []Need{needOf(e.LHS), needOf(e.RHS)}}
		case parser.LUNLESS:
			return needOf(e.LHS)
		}
	}
	var n Need
	for child := range parser.ChildrenIter(e) {
		n.all = append(n.all, needOf(child))
	}
	return n
}

// Look tells which of the metrics were seen, and which are missing before the expression can have a value: none where it
// can. Of several ways to have one, the nearest counts.
func (n Need) Look(seen func(metric string) bool) (found, missing []string) {
	switch {
	case n.metric != "":
		if seen(n.metric) {
			return []string{n.metric}, nil
		}
		return nil, []string{n.metric}
	case len(n.any) > 0:
		found, missing = n.any[0].Look(seen)
		for _, way := range n.any[1:] {
			f, m := way.Look(seen)
			if len(m) < len(missing) || len(m) == len(missing) && len(f) > len(found) {
				found, missing = f, m
			}
		}
		return found, missing
	}
	for _, part := range n.all {
		f, m := part.Look(seen)
		found, missing = merge(found, f), merge(missing, m)
	}
	return found, missing
}

// Metrics lists every metric that may be read, sorted.
func (n Need) Metrics() []string {
	if n.metric != "" {
		return []string{n.metric}
	}
	var all []string
	for _, part := range slices.Concat(n.all, n.any) {
		all = merge(all, part.Metrics())
	}
	return all
}

func merge(a, b []string) []string {
	a = append(a, b...)
	slices.Sort(a)
	return slices.Compact(a)
}
