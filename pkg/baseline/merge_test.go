package baseline

import (
	"bytes"
	"encoding/hex"
	"flag"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write golden files anew; only where a version is changed on purpose")

// observer summarises n points of an hour, as one replica of a source does.
func observer(rng *rand.Rand, hour int32, n int) Summary {
	o := OpenHour{}
	for i := range n {
		t := int64(hour)*hourMillis + int64(i)*hourMillis/int64(n)
		x := views{neighbours: min(i, 2), change: rng.NormFloat64(), jump2: rng.NormFloat64()}
		for v := range x.at {
			x.at[v] = rng.NormFloat64()
		}
		o.add(int64(hour), t, 100+rng.NormFloat64(), 0, &Expectation{Center: 100, expected: rng.IntN(2) == 0}, &x)
	}
	s, ok := o.close()
	if !ok {
		return Summary{Hour: hour}
	}
	return s
}

// history is what one source knows, by hour.
type history map[int32]Summary

func (h history) with(s Summary) history {
	if old, ok := h[s.Hour]; ok {
		s = *Better(&old, &s)
	}
	h[s.Hour] = s
	return h
}

func merged(all ...history) history {
	out := history{}
	for _, h := range all {
		for _, s := range h {
			out.with(s)
		}
	}
	return out
}

// list is the history in the order of time.
func (h history) list() (all []Summary) {
	for _, s := range h {
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b Summary) int { return int(a.Hour - b.Hour) })
	return all
}

func (h history) bytes() (b []byte) {
	for _, s := range h.list() {
		b = s.Append(append(b, byte(s.Hour), byte(s.Hour>>8)))
	}
	return b
}

// folded is the model of a history, encoded.
func folded(t *testing.T, h history) []byte {
	t.Helper()
	m := New(utc{}, 5*time.Minute)
	m.Refold(h.list())
	b, err := m.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestMergeOfHistories merges what several sources know of one series in every order: hours with no, one, two and many
// points, the same hour seen by several, equally well or not.
func TestMergeOfHistories(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	counts := []int{0, 1, 2, 2, 12, 12, 60}
	for range 200 {
		sources := make([]history, 3)
		for i := range sources {
			sources[i] = history{}
			for hour := range int32(60) {
				if rng.IntN(3) > 0 {
					sources[i].with(observer(rng, 490_000+hour, counts[rng.IntN(len(counts))]))
				}
			}
		}
		a, b, c := sources[0], sources[1], sources[2]
		want := merged(a, b, c)
		for name, got := range map[string]history{
			"commutative": merged(c, a, b), "associative": merged(a, merged(b, c)), "the other way": merged(merged(a, b), c),
			"idempotent": merged(want, want, b, a, a),
		} {
			if !bytes.Equal(got.bytes(), want.bytes()) || !bytes.Equal(folded(t, got), folded(t, want)) {
				t.Fatalf("merging is not %s", name)
			}
		}
		for hour, s := range want {
			most := 0
			for _, h := range sources {
				most = max(most, int(h[hour].N))
			}
			if int(s.N) != most {
				t.Fatalf("hour %d has %d points, the best source saw %d: replicas never add", hour, s.N, most)
			}
		}
		// Whoever saw which part of the hours: together they know all.
		parts := []history{{}, {}, {}}
		maps.Copy(parts[rng.IntN(3)], want)
		if !bytes.Equal(merged(parts...).bytes(), want.bytes()) {
			t.Fatal("parts of a history do not make the whole")
		}
		// Folding what is folded changes nothing.
		m := New(utc{}, 5*time.Minute)
		m.Refold(want.list())
		for _, s := range want.list() {
			if m.Fold(&s) {
				t.Fatalf("hour %d was folded twice", s.Hour)
			}
		}
		again, err := m.AppendBinary(nil)
		if err != nil || !bytes.Equal(again, folded(t, want)) {
			t.Fatalf("folding twice changed the model (%v)", err)
		}
	}
}

func TestHistoriesOfNextToNothing(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 6))
	for n := range 3 {
		for hours := range int32(4) {
			h := history{}
			for hour := range hours {
				h.with(observer(rng, 490_000+hour, n))
			}
			m := New(utc{}, time.Minute)
			m.Refold(h.list())
			if want := hours * int32(min(n, 1)); int32(m.Slow.Hours) != want {
				t.Errorf("%d hours of %d points: %d folded", hours, n, m.Slow.Hours)
			}
			if e := m.Expect(490_010 * hourMillis); e.Known || !math.IsInf(e.Upper, 1) {
				t.Errorf("%d hours of %d points: expects %+v", hours, n, e)
			}
		}
	}
}

func TestWithheldHoursAreKeptAndNeverFolded(t *testing.T) {
	m := New(utc{}, 5*time.Minute)
	w := newWeek()
	feed(m, monday, monday+30*hourMillis, 300_000, w, nil)
	before := m.Slow
	feed(m, monday+30*hourMillis, monday+30*hourMillis+1, 300_000, w, nil) // closes hour 29, opens hour 30
	after := m.Slow
	if before == after {
		t.Fatal("hour 29 was not folded")
	}
	m.Withhold()
	closed, ok := m.Close(true)
	if !ok || closed.Flags&Withheld == 0 || m.Slow != after {
		t.Errorf("closed %+v, %t; the model changed: %t", closed, ok, m.Slow != after)
	}
	read, _, err := DecodeSummary(closed.Day(), closed.Append(nil))
	if err != nil || read.Flags&Withheld == 0 || m.Fold(&read) {
		t.Errorf("from the ledger: %+v, %v", read, err)
	}
	feed(m, monday+31*hourMillis, monday+31*hourMillis+1, 300_000, w, nil)
	if _, ok := m.Close(false); !ok || m.Slow != after {
		t.Error("an hour that is not to be learnt is closed, and was folded")
	}
}

// TestVersion0Summary reads a record of the first form, written by hand.
func TestVersion0Summary(t *testing.T) {
	const record = "" +
		"07" + // hour of the day
		"3c00" + // 60 points
		"0000000000805840" + // mean 98
		"803f" + "0040" + "00bf" + "a040" + "40c0" + "2040" + "803e" + "003d" + "0043" // median 1, deviation 2, reference −0.5, high 5, low −3, jump 2.5, move 0.25, step 0.03125, weight 128
	b, err := hex.DecodeString(record)
	if err != nil {
		t.Fatal(err)
	}
	if len(b) != 29 {
		t.Fatalf("%d bytes", len(b))
	}
	got, n, err := DecodeSummary(20_000, append(b, 0xff))
	want := Summary{
		Hour: 20_000*24 + 7, N: 60, Mean: 98, First: 1, Second: 1, Ref: -0.5, Abs: 2, High: 5, Low: -3, Move: 0.25, Step: 0.03125, Weight: 128,
		Short: 2, Long: 2, Jump: 2.5, Surprise: 2.5, Move2: 0.25, Amaze: 0.25,
	}
	if err != nil || n != 29 || got != want {
		t.Errorf("read %d bytes, %v\n%+v, want\n%+v", n, err, got, want)
	}
	// An hour before anything was expected has no residuals.
	for _, at := range []int{15, 17, 19} {
		b[at], b[at+1] = 0xc0, 0x7f
	}
	if got, _, err = DecodeSummary(20_000, b); err != nil || !isNaN32(got.Abs) || !isNaN32(got.Ref) {
		t.Errorf("%+v, %v", got, err)
	}
	for cut := range b {
		if _, _, err := DecodeSummary(20_000, b[:cut]); err == nil {
			t.Errorf("took %d bytes for a summary", cut)
		}
	}
	b[0] = 2 << 5
	if _, _, err := DecodeSummary(20_000, b); err == nil {
		t.Error("took a record of a version to come")
	}
}
