package web

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
)

// encodeResult writes what a query returned as Prometheus does: {"resultType": …, "result": …}. By hand, because a range
// over many series is a million points and reflection takes seconds for them.
func encodeResult(v parser.Value) (json.RawMessage, error) {
	e := &encoder{buf: make([]byte, 0, 4096)}
	e.buf = append(e.buf, `{"resultType":`...)
	e.buf = strconv.AppendQuote(e.buf, string(v.Type()))
	e.buf = append(e.buf, `,"result":`...)
	switch v := v.(type) {
	case promql.Matrix:
		e.list(len(v), func(i int) { e.series(v[i]) })
	case promql.Vector:
		e.list(len(v), func(i int) { e.sample(v[i]) })
	case promql.Scalar:
		e.rare(v)
	case promql.String:
		e.rare(v)
	default:
		return nil, fmt.Errorf("encode result: unknown type %T", v)
	}
	e.buf = append(e.buf, '}')
	return e.buf, e.err
}

type encoder struct {
	buf []byte
	err error // the first one
}

func (e *encoder) list(n int, item func(int)) {
	e.buf = append(e.buf, '[')
	for i := range n {
		if i > 0 {
			e.buf = append(e.buf, ',')
		}
		item(i)
	}
	e.buf = append(e.buf, ']')
}

func (e *encoder) series(s promql.Series) {
	e.metric(s.Metric)
	if len(s.Floats) > 0 {
		e.buf = append(e.buf, `,"values":`...)
		e.list(len(s.Floats), func(i int) { e.point(s.Floats[i].T, s.Floats[i].F) })
	}
	if len(s.Histograms) > 0 {
		e.buf = append(e.buf, `,"histograms":`...)
		e.list(len(s.Histograms), func(i int) { e.rare(s.Histograms[i]) })
	}
	e.buf = append(e.buf, '}')
}

func (e *encoder) sample(s promql.Sample) {
	e.metric(s.Metric)
	if s.H != nil {
		e.buf = append(e.buf, `,"histogram":`...)
		e.rare(promql.HPoint{T: s.T, H: s.H})
	} else {
		e.buf = append(e.buf, `,"value":`...)
		e.point(s.T, s.F)
	}
	e.buf = append(e.buf, '}')
}

func (e *encoder) metric(ls labels.Labels) {
	e.buf = append(e.buf, `{"metric":`...)
	e.labels(ls)
}

func (e *encoder) labels(ls labels.Labels) {
	e.buf = append(e.buf, '{')
	first := true
	ls.Range(func(l labels.Label) {
		if !first {
			e.buf = append(e.buf, ',')
		}
		first = false
		e.text(l.Name)
		e.buf = append(e.buf, ':')
		e.text(l.Value)
	})
	e.buf = append(e.buf, '}')
}

func (e *encoder) point(t int64, v float64) {
	e.buf = append(e.buf, '[')
	e.time(t)
	e.buf = append(e.buf, `,"`...)
	e.buf = appendFloat(e.buf, v)
	e.buf = append(e.buf, `"]`...)
}

// rare encodes what is not worth doing by hand: scalars, strings, histograms.
func (e *encoder) rare(v json.Marshaler) {
	b, err := v.MarshalJSON()
	if err != nil && e.err == nil {
		e.err = fmt.Errorf("encode %T: %w", v, err)
	}
	e.buf = append(e.buf, b...)
}

// time writes milliseconds as seconds with three decimals, or none.
func (e *encoder) time(ms int64) {
	if ms < 0 {
		e.buf = append(e.buf, '-')
		ms = -ms
	}
	e.buf = strconv.AppendInt(e.buf, ms/1000, 10)
	if rest := ms % 1000; rest != 0 {
		e.buf = append(e.buf, '.', byte('0'+rest/100), byte('0'+rest/10%10), byte('0'+rest%10))
	}
}

func (e *encoder) text(s string) {
	b, err := json.Marshal(s)
	if err != nil && e.err == nil {
		e.err = err
	}
	e.buf = append(e.buf, b...)
}
