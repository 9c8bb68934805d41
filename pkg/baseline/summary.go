package baseline

import (
	"encoding/binary"
	"fmt"
	"math"
)

const hourMillis = int64(3600_000)

// Summary is what the slow model keeps of one UTC hour of one series. Its encoded form is the unit of history: a model
// is the fold over its summaries. Offsets are relative to Mean so that four bytes suffice.
type Summary struct {
	Hour   int32   // hours since 1970 UTC
	N      uint16  // observed points
	Mean   float64 // of the points
	Median float32 // minus Mean
	Dev    float32 // mean absolute deviation from the median
	Ref    float32 // mean expectation of the points when they were judged, minus Mean; NaN if there was none
	High   float32 // largest point minus its expectation (or minus Mean, without one)
	Low    float32 // smallest such
	Jump   float32 // largest absolute innovation
	Move   float32 // mean absolute innovation
	Step   float32 // smallest change between neighbours that is not zero; 0 if there was none
	Weight float32 // mean denominator of a ratio, else 0
}

// SummaryBytes is the encoded size.
const SummaryBytes = 4 + 2 + 8 + 9*4

// At returns the middle of the hour in unix milliseconds.
func (s *Summary) At() int64 { return int64(s.Hour)*hourMillis + hourMillis/2 }

// Append encodes the summary behind b.
func (s *Summary) Append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(s.Hour))
	b = binary.LittleEndian.AppendUint16(b, s.N)
	b = binary.LittleEndian.AppendUint64(b, math.Float64bits(s.Mean))
	for _, f := range [...]float32{s.Median, s.Dev, s.Ref, s.High, s.Low, s.Jump, s.Move, s.Step, s.Weight} {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(f))
	}
	return b
}

// DecodeSummary reads what Append wrote.
func DecodeSummary(b []byte) (Summary, error) {
	if len(b) < SummaryBytes {
		return Summary{}, fmt.Errorf("decode summary: %d bytes, want %d", len(b), SummaryBytes)
	}
	s := Summary{
		Hour: int32(binary.LittleEndian.Uint32(b)),
		N:    binary.LittleEndian.Uint16(b[4:]),
		Mean: math.Float64frombits(binary.LittleEndian.Uint64(b[6:])),
	}
	for i, f := range [...]*float32{&s.Median, &s.Dev, &s.Ref, &s.High, &s.Low, &s.Jump, &s.Move, &s.Step, &s.Weight} {
		*f = math.Float32frombits(binary.LittleEndian.Uint32(b[14+4*i:]))
	}
	return s, nil
}
