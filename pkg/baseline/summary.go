package baseline

import (
	"encoding/binary"
	"fmt"
	"math"
)

const hourMillis = int64(3600_000)

// Summary is what the slow model keeps of one UTC hour of one series. Its encoded form is the unit of history: a model
// is the fold over its summaries. All but Mean hold values that two bytes can: see coarse.
type Summary struct {
	Hour   int32   // hours since 1970 UTC
	N      uint16  // observed points
	Mean   float64 // of the points
	Median float32 // minus Mean
	Dev    float32 // mean absolute deviation from the median
	Ref    float32 // mean expectation of the points when they were judged, minus Mean; NaN if there was none
	High   float32 // largest point minus its expectation (or minus Mean, without one)
	Low    float32 // smallest such
	Jump   float32 // largest absolute innovation; NaN when no point had a recent course
	Move   float32 // mean absolute innovation; NaN likewise
	Step   float32 // smallest change between neighbours that is not zero; 0 if there was none
	Weight float32 // mean denominator of a ratio, else 0
}

// SummaryBytes is the encoded size. The day is not part of it: it is in the key of the record.
const SummaryBytes = 1 + 2 + 8 + 9*2

const hoursPerDay = 24

// At returns the middle of the hour in unix milliseconds.
func (s *Summary) At() int64 { return int64(s.Hour)*hourMillis + hourMillis/2 }

// coarse keeps the eight leading bits of a float's significand (bfloat16): half a percent is plenty for what surrounds a
// mean, and halves the history.
func coarse(f float64) float32 {
	b := math.Float32bits(float32(f))
	if f32 := float32(f); f32 != f32 || math.IsInf(float64(f32), 0) {
		return f32
	}
	b += 0x7fff + b>>16&1 // to the nearest, ties to even
	return math.Float32frombits(b &^ 0xffff)
}

func (s *Summary) floats() [9]*float32 {
	return [...]*float32{&s.Median, &s.Dev, &s.Ref, &s.High, &s.Low, &s.Jump, &s.Move, &s.Step, &s.Weight}
}

// Append encodes the summary behind b.
func (s *Summary) Append(b []byte) []byte {
	b = append(b, uint8(s.Hour%hoursPerDay))
	b = binary.LittleEndian.AppendUint16(b, s.N)
	b = binary.LittleEndian.AppendUint64(b, math.Float64bits(s.Mean))
	for _, f := range s.floats() {
		b = binary.LittleEndian.AppendUint16(b, uint16(math.Float32bits(*f)>>16))
	}
	return b
}

// DecodeSummary reads what Append wrote of an hour of the day (days since 1970 UTC).
func DecodeSummary(day int32, b []byte) (Summary, error) {
	if len(b) < SummaryBytes {
		return Summary{}, fmt.Errorf("decode summary: %d bytes, want %d", len(b), SummaryBytes)
	}
	s := Summary{
		Hour: day*hoursPerDay + int32(b[0]),
		N:    binary.LittleEndian.Uint16(b[1:]),
		Mean: math.Float64frombits(binary.LittleEndian.Uint64(b[3:])),
	}
	for i, f := range s.floats() {
		*f = math.Float32frombits(uint32(binary.LittleEndian.Uint16(b[11+2*i:])) << 16)
	}
	return s, nil
}
