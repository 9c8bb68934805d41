package remotewrite_test

import (
	"bytes"
	"encoding/hex"
	"runtime"
	"testing"

	"github.com/golang/snappy"
	"google.golang.org/protobuf/encoding/protowire"
)

// budget is what any request may cost, whatever it claims to be.
const budget = 64 << 20

// A bomb is small on the wire and claims or becomes much more.
func TestBombs(t *testing.T) {
	reproducer, err := hex.DecodeString("97eab4890a170a085f5f6e616d655f5f120b746573745f6d6574726963121009000000000000f03f10d48fc9b2a333")
	if err != nil {
		t.Fatal(err)
	}
	series := func(content []byte) []byte { return protowire.AppendBytes([]byte{0x0a}, content) }
	many := func(unit ...byte) []byte { return bytes.Repeat(unit, (20<<20)/len(unit)) }
	name := []byte("\x0a\x0d\x0a\x08__name__\x12\x01a")
	histogram := protowire.AppendBytes([]byte{0x22}, many(0x5a, 0x00)) // empty spans
	for what, body := range map[string][]byte{
		"47 bytes that claim 2.5 GiB":      reproducer,
		"a body that claims 30 MiB":        append(protowire.AppendVarint(nil, 30<<20), 0x00, 0x61),
		"zeros":                            snappy.Encode(nil, make([]byte, 30<<20)),
		"ten million empty series":         snappy.Encode(nil, many(0x0a, 0x00)),
		"ten million labels in one series": snappy.Encode(nil, series(many(0x0a, 0x00))),
		"ten million samples":              snappy.Encode(nil, series(append(name, many(0x12, 0x00)...))),
		"ten million histograms":           snappy.Encode(nil, series(append(name, many(0x22, 0x00)...))),
		"a histogram of many spans":        snappy.Encode(nil, series(append(name, histogram...))),
	} {
		s := newStation(t)
		for _, kind := range []string{v1Type, v2Type} {
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			w := s.post(kind, body)
			runtime.ReadMemStats(&after)
			if w.Code/100 == 5 {
				t.Errorf("%s as %s: answer %d %.100q", what, kind, w.Code, w.Body)
			}
			if cost := after.TotalAlloc - before.TotalAlloc; cost > budget {
				t.Errorf("%s (%d bytes) as %s: cost %d MiB", what, len(body), kind, cost>>20)
			}
		}
		s.wantNothing()
	}
	// The tables of 2.0.
	for what, body := range map[string][]byte{
		"ten million symbols":          snappy.Encode(nil, many(0x22, 0x00)),
		"ten million references":       snappy.Encode(nil, protowire.AppendBytes([]byte{0x2a}, protowire.AppendBytes([]byte{0x0a}, many(0x00, 0x00)))),
		"references that are unpacked": snappy.Encode(nil, protowire.AppendBytes([]byte{0x2a}, many(0x08, 0x00))),
	} {
		s := newStation(t)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		w := s.post(v2Type, body)
		runtime.ReadMemStats(&after)
		if cost := after.TotalAlloc - before.TotalAlloc; cost > budget || w.Code/100 == 5 {
			t.Errorf("%s (%d bytes): answer %d, cost %d MiB", what, len(body), w.Code, cost>>20)
		}
		s.wantNothing()
	}
}
