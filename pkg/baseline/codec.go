package baseline

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// The first byte of an encoded model is the version of its form, and what it is of; the second one counts its groups.
const (
	valuesVersion = 3
	ratioVersion  = 4    // 3 had a whole model of values in front
	ofRatio       = 0x80 // and not of values
	withLoan      = 0x40 // what was lent follows
)

var errState = errors.New("decode model: not written by this version")

// valuesBytes is the encoded size of a model of values without special days.
var valuesBytes = 2 + binary.Size(Slow{}) + binary.Size(OpenHour{}) + binary.Size(Recent{})

// parts are what is encoded, in this order.
func (m *Model) parts() []any {
	if m.Ratio != nil {
		return []any{&m.Past, &m.Open, m.Groups, &m.Proportion, &m.Tally}
	}
	return []any{&m.Slow, &m.Open, &m.Recent, m.Groups}
}

// AppendBinary encodes the state behind b.
func (m *Model) AppendBinary(b []byte) ([]byte, error) {
	first := byte(valuesVersion)
	if m.Ratio != nil {
		first = ratioVersion | ofRatio
	}
	if m.loan != nil {
		first |= withLoan
	}
	b = append(b, first, byte(len(m.Groups)))
	for _, part := range m.parts() {
		var err error
		if b, err = binary.Append(b, binary.LittleEndian, part); err != nil {
			return b, err
		}
	}
	if m.loan != nil {
		return m.loan.appendBinary(b)
	}
	return b, nil
}

// DecodeBinary reads what AppendBinary wrote at the front of b and returns what follows it. A model becomes one of a
// ratio if that was one.
func (m *Model) DecodeBinary(b []byte) (rest []byte, err error) {
	if len(b) < 2 {
		return nil, errState
	}
	version, ratio, borrowed := b[0]&^(ofRatio|withLoan), b[0]&ofRatio != 0, b[0]&withLoan != 0
	if version != valuesVersion && (!ratio || version != ratioVersion) || m.Ratio != nil && !ratio {
		return nil, errState
	}
	m.frame.ok, m.loan, m.Groups = false, nil, nil
	if b[1] > 0 {
		m.Groups = make([]Group, b[1])
	}
	m.Values, m.Ratio = &Values{}, nil
	parts := m.parts()
	if ratio {
		first := m.Values
		m.Values, m.Ratio = nil, &Ratio{}
		if version == ratioVersion {
			parts = m.parts()
		} else {
			parts = append(parts, &m.Proportion, &m.Tally)
			defer func() { m.Past = first.Slow.Past }()
		}
	}
	b = b[2:]
	for _, part := range parts {
		n, err := binary.Decode(b, binary.LittleEndian, part)
		if err != nil {
			return nil, fmt.Errorf("decode model: %w", err)
		}
		b = b[n:]
	}
	if borrowed {
		if m.loan, b, err = decodeLoan(b); err != nil {
			return nil, fmt.Errorf("decode model: what was lent: %w", err)
		}
	}
	return b, nil
}
