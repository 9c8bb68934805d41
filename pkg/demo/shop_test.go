package demo

import (
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
)

var monday = time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)

func shown(t *testing.T, s *Shop) string {
	t.Helper()
	var b strings.Builder
	for _, p := range []*Page{s.Node, s.Database, s.Service} {
		if err := p.Write(&b); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

func read(s *Shop, text string) float64 {
	for _, p := range []*Page{s.Node, s.Database, s.Service} {
		for _, f := range p.families {
			for _, r := range f.rows {
				if r.text == text {
					return *r.value
				}
			}
		}
	}
	return math.NaN()
}

func TestSameSeedSameShop(t *testing.T) {
	walk := func(seed uint64) string {
		s := New(seed, monday, monday.Add(24*time.Hour), time.UTC)
		s.Break(monday.Add(3*time.Hour), monday.Add(4*time.Hour))
		s.Advance(monday.Add(5*time.Hour), PastStep)
		return shown(t, s)
	}
	if once, again := walk(1), walk(1); once != again {
		t.Error("the same seed gives two shops")
	}
	if walk(1) == walk(2) {
		t.Error("two seeds give one shop")
	}
}

// What a counter counted never becomes less, buckets hold what smaller buckets hold, and nothing is NaN.
func TestCountersOnlyRise(t *testing.T) {
	s := New(1, monday, monday.Add(24*time.Hour), time.UTC)
	s.Break(monday.Add(time.Hour), monday.Add(2*time.Hour))
	before := map[string]float64{}
	for s.Now().Before(monday.Add(3 * time.Hour)) {
		s.Advance(s.Now().Add(time.Minute), Step)
		for _, p := range []*Page{s.Node, s.Database, s.Service} {
			for _, f := range p.families {
				for _, r := range f.rows {
					if v := *r.value; f.kind != "gauge" && v < before[r.text] || v-v != 0 {
						t.Fatalf("%s goes from %g to %g", r.text, before[r.text], v)
					}
					before[r.text] = *r.value
				}
			}
		}
		for _, r := range s.routes {
			for i := 1; i < len(r.latency.buckets); i++ {
				if *r.latency.buckets[i] < *r.latency.buckets[i-1] {
					t.Fatalf("%s: bucket %d is smaller than the one before", r.name, i)
				}
			}
			if *r.latency.buckets[len(r.latency.buckets)-1] != *r.latency.count {
				t.Fatalf("%s: the last bucket is not the count", r.name)
			}
		}
	}
}

// The incident is what it is said to be: a slow statement, a slow checkout, fewer orders of as many visits.
func TestIncident(t *testing.T) {
	hour := func(broken bool) (visits, conversion, checkout, statement float64) {
		noon := monday.Add(12 * time.Hour)
		s := New(1, monday, monday.Add(24*time.Hour), time.UTC)
		if broken {
			s.Break(noon, noon.Add(time.Hour))
		}
		s.Advance(noon, PastStep)
		of := func() [6]float64 {
			return [6]float64{
				read(s, "visits_total"), read(s, "orders_total"), read(s, "checkouts_total"),
				*s.routes[3].latency.sum / 1, *s.routes[3].latency.count, *s.queries[2].seconds / 1,
			}
		}
		a, calls := of(), *s.queries[2].calls
		s.Advance(noon.Add(time.Hour), PastStep)
		b := of()
		return b[0] - a[0], (b[1] - a[1]) / (b[2] - a[2]), (b[3] - a[3]) / (b[4] - a[4]), (b[5] - a[5]) / (*s.queries[2].calls - calls)
	}
	v0, c0, l0, q0 := hour(false)
	v1, c1, l1, q1 := hour(true)
	if d := math.Abs(v1/v0 - 1); d > 0.1 {
		t.Errorf("visits are %g instead of %g: the incident is none of theirs", v1, v0)
	}
	if c0 < 0.55 || c1 > 0.75*c0 || l1 < 4*l0 || q1 < 15*q0 {
		t.Errorf("conversion %.2f to %.2f, checkout %.2f s to %.2f s, statement %.4f s to %.4f s", c0, c1, l0, l1, q0, q1)
	}
}

// Sunday evening and Monday morning, as any two days, meet without a step.
func TestSeasonHasNoStep(t *testing.T) {
	for at := monday; at.Before(monday.AddDate(0, 0, 7)); at = at.Add(time.Minute) {
		if d := math.Abs(season(at.Add(time.Minute)) - season(at)); d > 0.01 {
			t.Fatalf("%s: a step of %g", at.Format("Mon 15:04"), d)
		}
	}
}

func TestPageIsAnExposition(t *testing.T) {
	s := New(1, monday, monday.Add(24*time.Hour), time.UTC)
	text := shown(t, s)
	for _, line := range []string{
		"# TYPE http_request_duration_seconds histogram\n",
		`http_request_duration_seconds_bucket{route="/checkout",le="+Inf"} `,
		"node_memory_MemTotal_bytes 1.7179869184e+10\n",
	} {
		if !strings.Contains(text, line) {
			t.Errorf("no %q in\n%s", line, text)
		}
	}
	n := 0
	s.Service.Each(func(ls labels.Labels, v float64) {
		if n++; ls.Get("__name__") == "" || v-v != 0 {
			t.Error(ls, v)
		}
	})
	if fmt.Sprint(n) == "0" {
		t.Error("no samples")
	}
}

func BenchmarkWeek(b *testing.B) {
	for range b.N {
		s := New(1, monday, monday.AddDate(0, 0, 7), time.UTC)
		s.Advance(monday.AddDate(0, 0, 7), PastStep)
	}
}

// A scrape keeps the labels of a page as they are. Prometheus writes bounds as 1.0; 1 would become another bucket beside it.
func TestBoundsAreWrittenAsAScrapeDoes(t *testing.T) {
	s := New(1, monday, monday, time.UTC)
	text := shown(t, s)
	p, err := textparse.New([]byte(text), "text/plain", labels.NewSymbolTable(), textparse.ParserOptions{})
	if err != nil {
		t.Fatal(err)
	}
	want := map[uint64]bool{}
	for _, page := range []*Page{s.Node, s.Database, s.Service} {
		page.Each(func(ls labels.Labels, _ float64) { want[ls.Hash()] = true })
	}
	for {
		entry, err := p.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if entry == textparse.EntrySeries {
			var ls labels.Labels
			if p.Labels(&ls); !want[ls.Hash()] {
				t.Errorf("a scrape sees %s", ls)
			}
		}
	}
}
