package remotewrite

import (
	"errors"
	"fmt"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/prompb"
	writev2 "github.com/prometheus/prometheus/prompb/io/prometheus/write/v2"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/baseliner/baseliner/pkg/ingest"
)

// The fields of both protocols. https://prometheus.io/docs/specs/prw/remote_write_spec/ and remote_write_spec_2_0/.
const (
	v1RequestTimeseries protowire.Number = 1
	v2RequestSymbols    protowire.Number = 4
	v2RequestTimeseries protowire.Number = 5

	seriesLabels       protowire.Number = 1 // messages in 1.0, packed references to symbols in 2.0
	seriesSamples      protowire.Number = 2
	v1SeriesHistograms protowire.Number = 4
	v2SeriesHistograms protowire.Number = 3

	labelName  protowire.Number = 1
	labelValue protowire.Number = 2

	sampleValue     protowire.Number = 1
	sampleTimestamp protowire.Number = 2
	v2SampleStart   protowire.Number = 3
	v1SampleStart   protowire.Number = 0 // there is none
)

const (
	maxHistogramBytes = 64 << 10 // of one native histogram; thousands of buckets
	maxSymbols        = 1 << 18
	labelsKept        = 1 << 10 // of a series that has more; it will be refused
)

type point struct {
	start, t int64
	v        float64
}

// batch decodes a request and appends what it finds.
type batch struct {
	tx      *transaction
	symbols []string
	limit   int // of samples in the request

	labels     labels.ScratchBuilder
	count      int // labels of the series at hand
	references []uint64
	broken     string // why the series at hand has no labels
	points     []point
	histograms [][]byte
	taken      int // samples
	empty      int // series without any
}

func (b *batch) v1(body []byte) error {
	for len(body) > 0 {
		f, rest, err := next(body)
		if err != nil {
			return err
		}
		body = rest
		if f.number != v1RequestTimeseries { // metadata travels in requests of its own
			continue
		}
		m, err := f.message()
		if err != nil {
			return err
		}
		if err := b.series(m, v1SeriesHistograms, v1SampleStart, b.labelMessage); err != nil {
			return err
		}
		if err := b.append(v1Histogram); err != nil {
			return err
		}
	}
	return nil
}

func (b *batch) v2(body []byte) error {
	if err := b.symbolTable(body); err != nil {
		return err
	}
	for len(body) > 0 {
		f, rest, err := next(body)
		if err != nil {
			return err
		}
		body = rest
		if f.number != v2RequestTimeseries {
			continue
		}
		m, err := f.message()
		if err != nil {
			return err
		}
		if err := b.series(m, v2SeriesHistograms, v2SampleStart, b.labelReferences); err != nil {
			return err
		}
		b.resolve()
		if err := b.append(v2Histogram); err != nil {
			return err
		}
	}
	return nil
}

// symbolTable collects the symbols: they may stand behind the series that refer to them.
func (b *batch) symbolTable(body []byte) error {
	for len(body) > 0 {
		f, rest, err := next(body)
		if err != nil {
			return err
		}
		body = rest
		if f.number != v2RequestSymbols {
			continue
		}
		s, err := f.text()
		if err != nil {
			return err
		}
		if len(b.symbols) == 0 && s != "" {
			return errors.New("the first symbol is not the empty string")
		}
		if len(b.symbols) == maxSymbols {
			return fmt.Errorf("there are more than %d symbols", maxSymbols)
		}
		b.symbols = append(b.symbols, s)
	}
	return nil
}

// series reads one series: its labels by label, its samples and histograms to be appended.
func (b *batch) series(m []byte, histograms, start protowire.Number, label func(field) error) error {
	b.labels.Reset()
	b.count, b.references, b.broken = 0, b.references[:0], ""
	b.points, b.histograms = b.points[:0], b.histograms[:0]
	for len(m) > 0 {
		f, rest, err := next(m)
		if err != nil {
			return err
		}
		m = rest
		if f.number != seriesLabels && f.number != seriesSamples && f.number != histograms {
			continue // exemplars and metadata are not kept
		}
		if f.number == seriesLabels {
			if err := label(f); err != nil {
				return err
			}
			continue
		}
		content, err := f.message()
		if err != nil {
			return err
		}
		if b.taken++; b.taken > b.limit {
			return tooManySamplesError(b.limit)
		}
		if f.number == seriesSamples {
			p, err := sample(content, start)
			if err != nil {
				return err
			}
			b.points = append(b.points, p)
		} else {
			b.histograms = append(b.histograms, content)
		}
	}
	return nil
}

// labelMessage takes a label of 1.0.
func (b *batch) labelMessage(f field) error {
	m, err := f.message()
	if err != nil {
		return err
	}
	var name, value string
	for len(m) > 0 {
		f, rest, err := next(m)
		if err != nil {
			return err
		}
		m = rest
		switch f.number {
		case labelName:
			name, err = f.text()
		case labelValue:
			value, err = f.text()
		default: // of later versions
		}
		if err != nil {
			return err
		}
	}
	b.addLabel(name, value)
	return nil
}

// labelReferences takes labels of 2.0: packed, as everybody sends them, or one by one, as protobuf allows.
func (b *batch) labelReferences(f field) error {
	switch f.kind {
	case protowire.VarintType:
		b.addReference(f.bits)
		return nil
	case protowire.BytesType:
	default:
		return errWireType
	}
	for m := f.bytes; len(m) > 0; {
		ref, n := protowire.ConsumeVarint(m)
		if n < 0 {
			return protowire.ParseError(n)
		}
		b.addReference(ref)
		m = m[n:]
	}
	return nil
}

func (b *batch) addReference(ref uint64) {
	if b.count++; b.count <= 2*labelsKept {
		b.references = append(b.references, ref)
	}
}

// resolve makes labels of references.
func (b *batch) resolve() {
	refs := b.references
	if b.count%2 != 0 {
		b.broken = fmt.Sprintf("it has %d references to symbols, names without a value among them", b.count)
		return
	}
	b.count = 0
	for ; len(refs) >= 2; refs = refs[2:] {
		if n := uint64(len(b.symbols)); refs[0] >= n || refs[1] >= n {
			b.broken = fmt.Sprintf("it refers to symbols %d and %d of %d", refs[0], refs[1], n)
			return
		}
		b.addLabel(b.symbols[refs[0]], b.symbols[refs[1]])
	}
}

func (b *batch) addLabel(name, value string) {
	if b.count++; b.count <= labelsKept {
		b.labels.Add(name, value)
	}
}

// append hands the series at hand to the transaction.
func (b *batch) append(decode func([]byte) (native, error)) error {
	n := len(b.points) + len(b.histograms)
	if n == 0 {
		b.empty++
		return nil
	}
	if b.broken != "" {
		b.tx.refuse(n, &ingest.RefusedError{Reason: ingest.BadLabels, Detail: b.broken})
		return nil
	}
	b.labels.Sort()
	b.tx.begin(b.labels.Labels())
	for _, p := range b.points {
		b.tx.float(p)
	}
	for _, m := range b.histograms {
		if len(m) > maxHistogramBytes {
			return fmt.Errorf("a native histogram of %d bytes is larger than %d", len(m), maxHistogramBytes)
		}
		h, err := decode(m)
		if err != nil {
			return err
		}
		b.tx.histogram(h)
	}
	return nil
}

func sample(m []byte, start protowire.Number) (p point, err error) {
	for len(m) > 0 {
		f, rest, err := next(m)
		if err != nil {
			return p, err
		}
		m = rest
		switch f.number {
		case sampleValue:
			p.v, err = f.float()
		case sampleTimestamp:
			p.t, err = f.integer()
		case start:
			p.start, err = f.integer()
		default: // of later versions
		}
		if err != nil {
			return p, err
		}
	}
	return p, nil
}

// native is a native histogram, of integers or of floats.
type native struct {
	start, t int64
	integers *histogram.Histogram
	floats   *histogram.FloatHistogram
}

func v1Histogram(m []byte) (native, error) {
	var h prompb.Histogram
	if err := h.Unmarshal(m); err != nil {
		return native{}, err
	}
	if h.IsFloatHistogram() {
		return native{t: h.Timestamp, floats: h.ToFloatHistogram()}, nil
	}
	return native{t: h.Timestamp, integers: h.ToIntHistogram()}, nil
}

func v2Histogram(m []byte) (native, error) {
	var h writev2.Histogram
	if err := h.Unmarshal(m); err != nil {
		return native{}, err
	}
	if h.IsFloatHistogram() {
		return native{start: h.StartTimestamp, t: h.Timestamp, floats: h.ToFloatHistogram()}, nil
	}
	return native{start: h.StartTimestamp, t: h.Timestamp, integers: h.ToIntHistogram()}, nil
}
