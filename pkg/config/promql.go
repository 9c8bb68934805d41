package config

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/prometheus/prometheus/promql/parser"
	"go.yaml.in/yaml/v3"
)

// expression checks the PromQL of a key. It returns how far back in time it reaches, and whether it looks at a range at
// all; both are meaningless when the expression is refused.
func (l *loader) expression(path, expr string, lookback time.Duration) (reach time.Duration, ranged bool) {
	e, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
	if err != nil {
		l.syntax(path, expr, err)
		return 0, false
	}
	switch e.Type() {
	case parser.ValueTypeVector, parser.ValueTypeScalar:
	case parser.ValueTypeMatrix:
		l.fail(path, "put it into a function such as rate()", "is a range, want one value per series")
		return 0, false
	default:
		l.fail(path, "", "is a %s, want numbers", e.Type())
		return 0, false
	}
	refused := map[string]bool{}
	refuse := func(hint, format string, args ...any) {
		if cause := fmt.Sprintf(format, args...); !refused[cause] {
			refused[cause] = true
			l.fail(path, hint, "%s", cause)
		}
	}
	parser.Inspect(e, func(n parser.Node, above []parser.Node) error {
		switch n := n.(type) {
		case *parser.VectorSelector:
			reach = max(reach, n.OriginalOffset+spanned(above, lookback))
			fixed(n.StartOrEnd, n.Timestamp, n.OriginalOffset, refuse)
		case *parser.MatrixSelector:
			ranged = true
		case *parser.SubqueryExpr:
			ranged = true
			fixed(n.StartOrEnd, n.Timestamp, n.OriginalOffset, refuse)
		}
		return nil
	})
	return reach, ranged
}

// spanned adds up what surrounds a selector: its own range, or the lookback of an instant, and the subqueries around it.
func spanned(above []parser.Node, lookback time.Duration) time.Duration {
	d := lookback
	for _, n := range above {
		switch n := n.(type) {
		case *parser.MatrixSelector:
			d += n.Range - lookback
		case *parser.SubqueryExpr:
			d += n.Range + n.OriginalOffset
		}
	}
	return d
}

// fixed refuses what makes an expression mean something else later: a signal has the same value whenever it is computed.
func fixed(startOrEnd parser.ItemType, timestamp *int64, offset time.Duration, refuse func(hint, format string, args ...any)) {
	const hint = "a signal is evaluated again and again, each time at its own instant"
	switch {
	case startOrEnd == parser.START:
		refuse(hint, "@ start() has no meaning in a signal")
	case startOrEnd == parser.END:
		refuse(hint, "@ end() has no meaning in a signal")
	case timestamp != nil:
		refuse(hint, "@ with a fixed time leaves the retention sooner or later")
	}
	if offset < 0 {
		refuse("", "offset %s looks into the future", "-"+written(-offset))
	}
}

// syntax reports the first parse error at its place, for those that follow are often its consequence: the position in the
// expression and, where the expression is a block of lines, the line of the file.
func (l *loader) syntax(path, expr string, err error) {
	var all parser.ParseErrors
	if !errors.As(err, &all) || len(all) == 0 {
		l.fail(path, "", "%s", err)
		return
	}
	e := all[0]
	before := expr[:min(max(int(e.PositionRange.Start), 0), len(expr))]
	row := strings.Count(before, "\n")
	column := len(before) - strings.LastIndexByte(before, '\n')
	line := l.line(path)
	if p := l.places[path]; p.node != nil && p.node.Style == yaml.LiteralStyle {
		line = p.node.Line + 1 + row
	}
	l.errs.add(line, path, "", "%d:%d: %s", row+1, column, e.Err)
}
