package baseline

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

const (
	hourMillis  = int64(3600_000)
	halfMillis  = hourMillis / 2
	hoursPerDay = 24
)

// Summary is what the slow model keeps of one UTC hour of one series. Its encoded form is the unit of history: a model
// is the fold over its summaries. A residual is a value minus the expectation it was judged by.
type Summary struct {
	Hour   int32   // hours since 1970 UTC
	N      uint16  // observed points
	Flags  uint8   // see the constants
	PeakAt uint8   // minute of the hour of Peak
	Mean   float64 // of the points; of a ratio the whole hour's numerator over its denominator

	// Two bytes each on disk: eight leading bits of the significand, see coarse.
	First, Second float32 // typical value of each half hour, minus Mean; NaN for a half without points
	Ref           float32 // mean expectation of the points, minus Mean; NaN if there was none
	Abs           float32 // mean |residual|; NaN likewise
	High, Low     float32 // largest and smallest residual; NaN likewise
	Move          float32 // mean |residual − the one before|; NaN when no point had a neighbour
	Step          float32 // smallest change between neighbours that is not zero; 0 if there was none
	Weight        float32 // mean denominator of a ratio, else 0

	// One byte each on disk, on a logarithmic scale, 4.4 % apart: the largest absolute value of each view in the hour …
	Short, Long, Jump, Surprise float32
	Move2, Amaze                float32 // … and the mean ones of the two-row difference and of the surprise
	Flat                        float32 // largest evidence for a flat line, nats
	Peak                        float32 // largest |score| before the schedule is considered
}

// Flags of a summary.
const (
	// FreshLevel says that the level is taken anew with this hour: a deploy, or whatever an annotation says.
	FreshLevel uint8 = 1 << iota
	// Withheld says that the hour is kept but never folded: something was known to be wrong in it while it lasted.
	Withheld
)

// SummaryBytes is the encoded size, version included. The day is not part of it: it is in the key of the record.
const SummaryBytes = 2 + 2 + meanEncodedBytes + 1 + 9*2 + 6 + 2

// The first byte of a record: its version above the hour of the day. Version 0, which had no such byte but the hour
// alone, is still read.
const (
	summaryVersion   = 1 << 5
	hourMask         = summaryVersion - 1
	version0Bytes    = 1 + 2 + 8 + 9*2
	logUnit          = 16 // of a byte on the logarithmic scale, per octave
	logMiddle        = 128
	meanDroppedBits  = 16 // of a float64's significand: 36 are left
	meanEncodedBytes = 6
)

var errVersion = errors.New("written by a newer version")

// At returns the middle of the hour in unix milliseconds.
func (s *Summary) At() int64 { return int64(s.Hour)*hourMillis + hourMillis/2 }

// Day returns the days since 1970 UTC, under which the summary is kept.
func (s *Summary) Day() int32 { return int32(floorDiv(int64(s.Hour), hoursPerDay)) }

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

func (s *Summary) coarse() [9]*float32 {
	return [...]*float32{&s.First, &s.Second, &s.Ref, &s.Abs, &s.High, &s.Low, &s.Move, &s.Step, &s.Weight}
}

// multiples lists what is kept as a multiple of the hour's own unit, once the coarse fields are known: of how it moved,
// or of how far it was from its expectation as well.
func (s *Summary) multiples() ([6]*float32, [6]float64) {
	move := 0.0
	if !isNaN32(s.Move) {
		move = float64(s.Move)
	}
	both := move
	if !isNaN32(s.Abs) {
		both += float64(s.Abs)
	}
	return [...]*float32{&s.Short, &s.Long, &s.Jump, &s.Surprise, &s.Move2, &s.Amaze},
		[...]float64{both, both, move, both, move, both}
}

// logByte puts x ≥ 0 on the logarithmic scale around unit; 0 is nothing at all.
func logByte(x, unit float64) byte {
	if !(x > 0) || !(unit > 0) {
		return 0
	}
	return byte(min(max(math.Round(logUnit*math.Log2(x/unit))+logMiddle, 1), math.MaxUint8))
}

func fromLogByte(b byte, unit float64) float64 {
	if b == 0 {
		return 0
	}
	return unit * logSteps[b]
}

var logSteps = func() (steps [256]float64) {
	for i := range steps {
		steps[i] = math.Exp2(float64(i-logMiddle) / logUnit)
	}
	return steps
}()

// Append encodes the summary behind b.
func (s *Summary) Append(b []byte) []byte {
	b = append(b, uint8(s.Hour-s.Day()*hoursPerDay)|summaryVersion, s.Flags)
	b = binary.LittleEndian.AppendUint16(b, s.N)
	mean := (math.Float64bits(s.Mean) + 1<<(meanDroppedBits-1)) >> meanDroppedBits
	b = append(b, byte(mean), byte(mean>>8), byte(mean>>16), byte(mean>>24), byte(mean>>32), byte(mean>>40), s.PeakAt)
	q := *s
	for _, f := range q.coarse() {
		*f = coarse(float64(*f))
		b = binary.LittleEndian.AppendUint16(b, uint16(math.Float32bits(*f)>>16))
	}
	fields, units := q.multiples()
	for i, f := range fields {
		b = append(b, logByte(float64(*f), units[i]))
	}
	return append(b, logByte(float64(s.Flat), 1), logByte(float64(s.Peak), 1))
}

// DecodeSummary reads what Append wrote of an hour of the day (days since 1970 UTC), and how many bytes it took.
func DecodeSummary(day int32, b []byte) (s Summary, n int, err error) {
	if len(b) > 0 && b[0] < hoursPerDay {
		return decodeVersion0(day, b)
	}
	if len(b) > 0 && b[0]&^hourMask != summaryVersion {
		return Summary{}, 0, fmt.Errorf("decode summary: %w", errVersion)
	}
	if len(b) < SummaryBytes {
		return Summary{}, 0, fmt.Errorf("decode summary: %d bytes, want %d", len(b), SummaryBytes)
	}
	if hour := b[0] & hourMask; hour >= hoursPerDay {
		return Summary{}, 0, fmt.Errorf("decode summary: hour %d of a day", hour)
	}
	s = Summary{Hour: day*hoursPerDay + int32(b[0]&hourMask), Flags: b[1], N: binary.LittleEndian.Uint16(b[2:]), PeakAt: b[10]}
	mean := uint64(binary.LittleEndian.Uint32(b[4:])) | uint64(binary.LittleEndian.Uint16(b[8:]))<<32
	s.Mean = math.Float64frombits(mean << meanDroppedBits)
	at := 11
	for _, f := range s.coarse() {
		*f = math.Float32frombits(uint32(binary.LittleEndian.Uint16(b[at:])) << 16)
		at += 2
	}
	fields, units := s.multiples()
	for i, f := range fields {
		*f = float32(fromLogByte(b[at], units[i]))
		at++
	}
	s.Flat, s.Peak = float32(fromLogByte(b[at], 1)), float32(fromLogByte(b[at+1], 1))
	return s, SummaryBytes, nil
}

// decodeVersion0 reads the first form: hour, N, mean, then median, deviation, reference, high, low, jump, move, step and
// weight in two bytes each.
func decodeVersion0(day int32, b []byte) (Summary, int, error) {
	if len(b) < version0Bytes {
		return Summary{}, 0, fmt.Errorf("decode summary: %d bytes, want %d", len(b), version0Bytes)
	}
	s := Summary{
		Hour: day*hoursPerDay + int32(b[0]),
		N:    binary.LittleEndian.Uint16(b[1:]),
		Mean: math.Float64frombits(binary.LittleEndian.Uint64(b[3:])),
	}
	for i, f := range [...]*float32{&s.First, &s.Abs, &s.Ref, &s.High, &s.Low, &s.Jump, &s.Move, &s.Step, &s.Weight} {
		*f = math.Float32frombits(uint32(binary.LittleEndian.Uint16(b[11+2*i:])) << 16)
	}
	s.Second = s.First // its median stands for both halves
	s.Short, s.Long = s.Abs, s.Abs
	s.Surprise, s.Move2, s.Amaze = s.Jump, s.Move, s.Move
	if isNaN32(s.Ref) {
		s.Abs = s.Ref
	}
	return s, version0Bytes, nil
}

// rounded is the summary as history keeps it. Only such are folded, so that a model made from history is the one that
// was stepped.
func (s *Summary) rounded() Summary {
	var buf [SummaryBytes]byte
	q, _, _ := DecodeSummary(s.Day(), s.Append(buf[:0])) // of what was encoded a line ago
	return q
}

// Better tells which of two summaries of the same hour is kept when two sources know the same series, as two replicas
// of one scraper do: the one that saw more, and of equals always the same one. Summaries never add.
func Better(a, b *Summary) *Summary {
	if a.N != b.N {
		if a.N > b.N {
			return a
		}
		return b
	}
	var x, y [SummaryBytes]byte
	if string(a.Append(x[:0])) >= string(b.Append(y[:0])) {
		return a
	}
	return b
}

func isNaN32(f float32) bool { return f != f }
