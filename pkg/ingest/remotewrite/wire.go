package remotewrite

import (
	"errors"
	"math"
	"unsafe"

	"google.golang.org/protobuf/encoding/protowire"
)

var errWireType = errors.New("a field has another type than the protocol gives it")

// field is one field of a protobuf message. What it holds is part of the message.
type field struct {
	number protowire.Number
	kind   protowire.Type
	bits   uint64 // of numbers
	bytes  []byte // of everything else
}

// next splits the first field off a message.
func next(b []byte) (f field, rest []byte, err error) {
	var n int
	f.number, f.kind, n = protowire.ConsumeTag(b)
	if n < 0 {
		return f, nil, protowire.ParseError(n)
	}
	b = b[n:]
	switch f.kind {
	case protowire.VarintType:
		f.bits, n = protowire.ConsumeVarint(b)
	case protowire.Fixed64Type:
		f.bits, n = protowire.ConsumeFixed64(b)
	case protowire.BytesType:
		f.bytes, n = protowire.ConsumeBytes(b)
	default: // none of ours
		n = protowire.ConsumeFieldValue(f.number, f.kind, b)
	}
	if n < 0 {
		return f, nil, protowire.ParseError(n)
	}
	return f, b[n:], nil
}

// integer is the value of an int64 field.
func (f field) integer() (int64, error) {
	if f.kind != protowire.VarintType {
		return 0, errWireType
	}
	return int64(f.bits), nil
}

// float is the value of a double field.
func (f field) float() (float64, error) {
	if f.kind != protowire.Fixed64Type {
		return 0, errWireType
	}
	return math.Float64frombits(f.bits), nil
}

// message is the content of a field that holds a message, bytes or packed numbers.
func (f field) message() ([]byte, error) {
	if f.kind != protowire.BytesType {
		return nil, errWireType
	}
	return f.bytes, nil
}

// text is the value of a string field. It lives as long as the request's body, which nobody changes.
func (f field) text() (string, error) {
	if f.kind != protowire.BytesType {
		return "", errWireType
	}
	return unsafe.String(unsafe.SliceData(f.bytes), len(f.bytes)), nil
}
