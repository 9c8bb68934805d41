package baseline

import (
	"bytes"
	"os"
	"slices"
	"testing"
	"time"
)

// goldenModel holds the layout of an encoded model and returns the golden file: what changes it has to raise the version.
func goldenModel(t *testing.T, m *Model, path string) []byte {
	t.Helper()
	b, err := m.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	golden, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b, golden) {
		t.Errorf("encodes to %d bytes that are not the %d golden ones of %s: snapshots of this version could not be read", len(b), len(golden), path)
	}
	return golden
}

func TestModelOfVersion3(t *testing.T) {
	if valuesVersion != 3 {
		t.Fatalf("version %d: write a golden file of the new one", valuesVersion)
	}
	m := New(utc{}, time.Minute)
	m.Open = OpenHour{Hour: 490_001, N: 3, Base: 1.5, Flags: FreshLevel, PeakAt: 59}
	m.Recent = Recent{Before: 1, Before2: -2, N: 7, Of: inUnits, Short: 0.25, Long: 0.125, Run: 3, Last: 101, LastT: 1_764_000_000_000}
	m.Slow.Power = 0.5
	m.Slow.Hours, m.Slow.LastHour, m.Slow.Level, m.Slow.Move = 1000, 490_000, 100.5, 0.75
	for i := range m.Slow.Week {
		m.Slow.Week[i], m.Slow.WeekN[i], m.Slow.SpreadWeek[i] = float32(i), uint8(i), logFloat(i)
	}
	for v := range m.Slow.Limits {
		m.Slow.Limits[v] = float32(v) + 4
	}
	m.Groups = []Group{{Spread: 2, Hours: 24}, {}}
	golden := goldenModel(t, m, "testdata/model.v3")
	read := New(utc{}, time.Minute)
	rest, err := read.DecodeBinary(append(slices.Clone(golden), 1, 2))
	if err != nil || len(rest) != 2 || read.Open != m.Open || *read.Values != *m.Values || !slices.Equal(read.Groups, m.Groups) {
		t.Errorf("decoded %v, %d bytes left", err, len(rest))
	}
	if _, err := New(utc{}, time.Minute, OfRatio(time.Minute)).DecodeBinary(golden); err == nil {
		t.Error("a ratio took a model of values")
	}
	if _, err := read.DecodeBinary(golden[:len(golden)-1]); err == nil {
		t.Error("took a model that is cut off")
	}
	for _, version := range []byte{2, ratioVersion} {
		golden[0] = version
		if _, err := read.DecodeBinary(golden); err == nil {
			t.Errorf("took a model of version %d", version)
		}
	}
}

// Version 3 of a ratio had in front what a model of values has. Its file is of a program of then.
func TestRatioOfVersions3And4(t *testing.T) {
	if ratioVersion != 4 {
		t.Fatalf("version %d: write a golden file of the new one", ratioVersion)
	}
	m := New(utc{}, time.Minute, OfRatio(time.Minute))
	m.Past = Past{Hours: 1000, LastHour: 490_000}
	m.Open = OpenHour{Hour: 490_001, N: 3, WeightSum: 300, Flags: FreshLevel, Peak: 0.5, PeakAt: 59}
	m.Groups = []Group{{Spread: 2, Hours: 24}, {}}
	m.Proportion = Proportion{Level: 0.02, LevelDen: 5000, PerHour: 6000, Phi: 1.25, PhiN: 900, LastHour: 490_000, Hot: 2, LeftHours: 7}
	for i := range m.Week {
		m.Week[i], m.WeekN[i], m.WeekDen[i], m.Usual[i] = float32(i), uint8(i), logFloat(i), logFloat(2*i)
	}
	m.Tally = Tally{At: 2_940_006, Num: 6}
	for i := range m.Bins {
		m.Bins[i] = Bin{Num: float64(i), Den: 1000, Want: 20, Var: 19.6}
	}
	before, err := os.ReadFile("testdata/ratio.v3")
	if err != nil {
		t.Fatal(err)
	}
	for _, golden := range [][]byte{before, goldenModel(t, m, "testdata/ratio.v4")} {
		for _, read := range []*Model{New(utc{}, time.Minute), New(utc{}, time.Minute, OfRatio(time.Minute))} {
			rest, err := read.DecodeBinary(append(slices.Clone(golden), 1, 2))
			if err != nil || len(rest) != 2 || read.Open != m.Open || *read.Ratio != *m.Ratio || read.Values != nil || !slices.Equal(read.Groups, m.Groups) {
				t.Errorf("version %d: decoded %v, %d bytes left\n%+v, want\n%+v", golden[0]&^ofRatio, err, len(rest), read.Ratio, m.Ratio)
			}
		}
	}
}
