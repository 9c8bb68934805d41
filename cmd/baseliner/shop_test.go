package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// shopZone is where the shop's customers live.
const shopZone = "Europe/Berlin"

var berlin = func() *time.Location {
	l, err := time.LoadLocation(shopZone)
	if err != nil {
		panic(err)
	}
	return l
}()

// usual is the number of sessions that a shop has at an instant: days swing, weekends are quieter, and it is never
// quite the same. It depends on the instant alone.
func usual(t time.Time) float64 {
	l := t.In(berlin)
	hour := float64(l.Hour()) + float64(l.Minute())/60 + float64(l.Second())/3600
	day := 1.0
	if wd := l.Weekday(); wd == time.Saturday || wd == time.Sunday {
		// Quieter around noon, the same at midnight: no step between the days.
		day = 1 - 0.3*math.Pow(math.Sin(math.Pi*hour/24), 2)
	}
	r := rand.New(rand.NewPCG(uint64(t.Unix()), 1))
	return (1000 - 400*math.Cos(2*math.Pi*(hour-3)/24)) * day * (1 + 0.02*(2*r.Float64()-1))
}

// shop is a scrape target: a gauge and a counter per shard, which follow the season until somebody breaks it.
type shop struct {
	shards int

	mu      sync.Mutex
	factor  float64
	counter float64
	counted time.Time
}

// newShop opens one that has been counting for a while: nothing is known of a counter before its first sample, and one
// that begins near zero is taken to have begun within the range.
func newShop(shards int) *shop {
	return &shop{shards: shards, factor: 1, counter: 1e9, counted: time.Now()}
}

// breaks multiplies what the shop shows.
func (s *shop) breaks(factor float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count(time.Now())
	s.factor = factor
}

func (s *shop) count(now time.Time) {
	s.counter += s.factor * usual(now) * now.Sub(s.counted).Seconds()
	s.counted = now
}

func (s *shop) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	s.count(now)
	w.Header().Set("Content-Type", "text/plain; version=0.0.4")
	fmt.Fprintln(w, "# TYPE shop_sessions gauge")
	for i := range s.shards {
		fmt.Fprintf(w, "shop_sessions{shard=\"%d\"} %g\n", i, s.factor*usual(now))
	}
	fmt.Fprintln(w, "# TYPE shop_requests_total counter")
	for i := range s.shards {
		fmt.Fprintf(w, "shop_requests_total{shard=\"%d\"} %g\n", i, s.counter)
	}
}

// serveTarget is the child process whose death a test wants to see. It tells its address.
func serveTarget(address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	return http.Serve(l, newShop(1))
}

// spawnTarget starts such a child; an empty address is any free one.
func spawnTarget(t *testing.T, address string) (child *process, at string) {
	t.Helper()
	if address == "" {
		address = "127.0.0.1:0"
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), targetEnv+"="+address)
	child = spawn(t, cmd)
	eventually(t, "the target listens", 20*time.Second, func() error {
		if at = strings.TrimSpace(child.stdout.String()); at == "" {
			return fmt.Errorf("it has not said so: %s", child.stderr.String())
		}
		return nil
	})
	return child, at
}

// pastOf writes weeks of the shop's history, a row every step, which ends now. columns are the names of the series.
func pastOf(t *testing.T, weeks int, step time.Duration, columns ...string) string {
	t.Helper()
	end := time.Now().Truncate(step)
	b := []byte("timestamp")
	for _, c := range columns {
		b = append(b, ',')
		if strings.ContainsAny(c, `",`) {
			c = `"` + strings.ReplaceAll(c, `"`, `""`) + `"`
		}
		b = append(b, c...)
	}
	b = append(b, '\n')
	for at := end.Add(-time.Duration(weeks) * 7 * 24 * time.Hour); !at.After(end); at = at.Add(step) {
		b = strconv.AppendInt(b, at.Unix(), 10)
		v := usual(at)
		for range columns {
			b = append(b, ',')
			b = strconv.AppendFloat(b, v, 'f', 2, 64)
		}
		b = append(b, '\n')
	}
	path := filepath.Join(t.TempDir(), "past.csv")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
