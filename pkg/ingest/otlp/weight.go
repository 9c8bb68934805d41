package otlp

import (
	"errors"

	"google.golang.org/protobuf/encoding/protowire"
)

// A request of a megabyte may decode to a hundred: an empty point is two bytes on the wire and a struct in memory, and
// values nest without end. Before a request is decoded it is looked through, and what it will need is taken first.

// maxDepth is how deep messages, or lists and objects of JSON, may nest. Metrics need ten.
const maxDepth = 64

var errTooDeep = errors.New("its values nest too deep")

// shape is a message of the protocol: what one costs in memory, and the fields that cost more than their bytes.
type shape struct {
	bytes    int64
	messages fields
	packed   protowire.Number // of numbers that are a byte at least on the wire and eight in memory
	packed2  protowire.Number
	plain    func([]byte) bool // most of them hold nothing that nests, and then take least; nil: nobody asks
	least    int64
}

// isText tells whether a value is one short text and nothing else.
func isText(b []byte) bool {
	return len(b) >= 2 && b[0] == 1<<3|2 && int(b[1]) == len(b)-2 && b[1] < 0x80
}

// isPair tells whether an attribute is a short name and a short text.
func isPair(b []byte) bool {
	if len(b) < 2 || b[0] != 1<<3|2 || b[1] >= 0x80 || len(b) < 4+int(b[1]) {
		return false
	}
	b = b[2+int(b[1]):]
	return b[0] == 2<<3|2 && b[1] < 0x80 && int(b[1]) == len(b)-2 && isText(b[2:])
}

// fields are the messages of a message, by number.
type fields [13]*shape

// request is the shape of ExportMetricsServiceRequest, with the field numbers of opentelemetry-proto.
var request = func() *shape {
	is := func(bytes int64, messages fields) *shape { return &shape{bytes: bytes, messages: messages} }
	value, pair := &shape{bytes: 48, plain: isText, least: 48}, &shape{bytes: 96, plain: isPair, least: 96 + 48}
	value.messages = fields{5: is(48, fields{1: value}), 6: is(48, fields{1: pair})}
	pair.messages = fields{2: value}
	exemplar := is(160, fields{7: pair})
	number := is(256, fields{7: pair, 5: exemplar})
	histogram := is(320, fields{9: pair, 8: exemplar})
	histogram.packed, histogram.packed2 = 6, 7
	buckets := is(64, fields{})
	buckets.packed = 2
	exponential := is(448, fields{1: pair, 8: buckets, 9: buckets, 11: exemplar})
	summary := is(256, fields{7: pair, 6: is(48, fields{})})
	list := func(point *shape) *shape { return is(64, fields{1: point}) }
	metric := is(256, fields{5: list(number), 7: list(number), 9: list(histogram), 10: list(exponential), 11: list(summary), 12: pair})
	scope := is(256, fields{1: is(96, fields{3: pair}), 2: metric})
	resource := is(256, fields{1: is(96, fields{1: pair, 3: is(128, fields{})}), 2: scope})
	return is(64, fields{1: resource})
}()

// weigh returns about how much memory a protobuf request will take once it is decoded.
func weigh(b []byte) (int64, error) {
	n, err := request.weigh(b, 0)
	return n + int64(len(b)), err // strings are copied
}

func (s *shape) weigh(b []byte, depth int) (int64, error) {
	if depth > maxDepth {
		return 0, errTooDeep
	}
	if s.plain != nil && s.plain(b) {
		return s.least, nil
	}
	sum := s.bytes
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return 0, protowire.ParseError(n)
		}
		b = b[n:]
		if kind != protowire.BytesType {
			if n = protowire.ConsumeFieldValue(number, kind, b); n < 0 {
				return 0, protowire.ParseError(n)
			}
			if number == s.packed || number == s.packed2 {
				sum += 16 // not packed
			}
			b = b[n:]
			continue
		}
		content, n := protowire.ConsumeBytes(b)
		if n < 0 {
			return 0, protowire.ParseError(n)
		}
		b = b[n:]
		var m *shape
		if int(number) < len(s.messages) {
			m = s.messages[number]
		}
		switch {
		case m != nil:
			inner, err := m.weigh(content, depth+1)
			if err != nil {
				return 0, err
			}
			sum += inner
		case number == s.packed || number == s.packed2:
			sum += 8 * int64(len(content))
		}
	}
	return sum, nil
}

// weighJSON is weigh for JSON: any object may become a struct, any element a number.
func weighJSON(b []byte) (int64, error) {
	sum, depth := int64(len(b)), 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '{', '[':
			sum += 256
			if depth++; depth > 2*maxDepth {
				return 0, errTooDeep
			}
		case '}', ']':
			depth--
		case ',':
			sum += 16
		case '"':
			for i++; i < len(b) && b[i] != '"'; i++ {
				if b[i] == '\\' {
					i++
				}
			}
		}
	}
	return sum, nil
}
