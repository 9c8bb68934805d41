package points

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"github.com/baseliner/baseliner/pkg/series"
)

func TestWhatIsWrittenIsRead(t *testing.T) {
	in := []Point{
		{"orders", series.FromStrings("shop", "a<b"), series.Point{T: 1764028800123, Value: 0.1 + 0.2, Denominator: 7, Reporters: 3}},
		{"orders", nil, series.Point{T: 1764028800123, Value: 0}},
		{"orders", nil, series.Point{T: 1764028860000, Missing: series.Stale}},
	}
	var b bytes.Buffer
	w, err := NewWriter(&b, map[string]string{"orders": "x"})
	if err != nil {
		t.Fatal(err)
	}
	for i := range in {
		if err := w.Write(&in[i]); err != nil {
			t.Fatal(err)
		}
	}
	r := NewReader(&b)
	for i := range in {
		if !r.Next() {
			t.Fatal(r.Err())
		}
		got := r.Point()
		if got.Signal != in[i].Signal || got.Point != in[i].Point || got.Labels.Key() != in[i].Labels.Key() {
			t.Errorf("read %+v, wrote %+v", got, in[i])
		}
	}
	if r.Next() || r.Err() != nil || !reflect.DeepEqual(r.Signals(), map[string]string{"orders": "x"}) {
		t.Error(r.Err(), r.Signals())
	}
}

func TestBadLines(t *testing.T) {
	check := func(text, want string) {
		t.Helper()
		r := NewReader(strings.NewReader(text))
		for r.Next() {
		}
		if err := r.Err(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: %v, want %q", text, err, want)
		} else if strings.Contains(err.Error(), "points.") || strings.Contains(err.Error(), "Go ") {
			t.Errorf("%.60q: %v names types", text, err)
		}
	}
	good := `{"time":1764028800,"signal":"a","value":1}` + "\n"
	check(good+"nonsense", "line 2: is not JSON")
	check(`{"time":"now","signal":"a"}`, "time is a string")
	check(`{"signal":"a","value":1}`, "no time")
	check(`{"time":1e300,"signal":"a","value":1}`, "not unix seconds")
	check(`{"time":1764028800,"value":1}`, "names no signal")
	check(`{"time":1764028800,"signal":"a","value":1,"missing":"stale"}`, "and is missing")
	check(`{"time":1764028800,"signal":"a","missing":"lost"}`, "no reason")
	check(`{"time":1764028800,"signal":"a","vlaue":1}`, "vlaue")
	check(`{"time":1764028800,"signal":"a","value":1} {}`, "more than one")
	check(good+`{"time":1764028799,"signal":"a","value":1}`, "order of time")
	check(good+`{"signals":{}}`, "first line")
	check(`{"time":1764028800,"signal":"`+strings.Repeat("a", maxLine)+`"}`, "line 1: is longer than 64 KiB")
	check(`{"time":1764028800,"signal":"a","value":1,"denominator":-1}`, "negative")
}

// FuzzReader wants an error or points that can be stepped: in order, with a signal.
func FuzzReader(f *testing.F) {
	f.Add([]byte("{\"signals\":{\"a\":\"b\"}}\n{\"time\":1764028800,\"signal\":\"a\",\"labels\":{\"x\":\"y\"},\"value\":1e300,\"denominator\":2}\n"))
	f.Add([]byte(`{"time":-1e-300,"signal":"","missing":"overrun"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := NewReader(bytes.NewReader(b))
		last := int64(0)
		for r.Next() {
			p := r.Point()
			if p.T < last || p.Signal == "" {
				t.Fatalf("%+v after %d", p, last)
			}
			last = p.T
		}
	})
}
