package scrape_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/promslog"
	promconfig "github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"go.uber.org/goleak"

	"github.com/baseliner/baseliner/pkg/ingest"
	"github.com/baseliner/baseliner/pkg/ingest/scrape"
)

func TestMain(m *testing.M) {
	if os.Getenv(benchTarget) != "" {
		if err := serveBenchTarget(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

const patience = 20 * time.Second

// fixture is a manager that scrapes into a real database, as it is wired in the product.
type fixture struct {
	*scrape.Manager
	t  *testing.T
	db *tsdb.DB
}

// start runs a manager on the scrape_configs of the YAML until the test ends.
func start(t *testing.T, scrapeConfigs string) *fixture {
	t.Helper()
	o := tsdb.DefaultOptions()
	o.EnableSTAsZeroSample = true
	db, err := tsdb.Open(t.TempDir(), promslog.NewNopLogger(), nil, o, nil)
	if err != nil {
		t.Fatal(err)
	}
	m, err := scrape.New(scrape.Options{
		Logger:         slog.New(slog.NewTextHandler(t.Output(), nil)),
		Appendable:     ingest.NewGuard(db, ingest.GuardOptions{}),
		ReloadInterval: 10 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{Manager: m, t: t, db: db}
	if err := f.apply(scrapeConfigs); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

func (f *fixture) apply(scrapeConfigs string) error {
	f.t.Helper()
	cfg, err := promconfig.Load("global: {scrape_interval: 250ms, scrape_timeout: 250ms}\nscrape_configs:\n"+scrapeConfigs, promslog.NewNopLogger())
	if err != nil {
		f.t.Fatal(err)
	}
	return f.ApplyConfig(cfg)
}

// last returns the newest sample of the series that has these labels, and how many it has.
func (f *fixture) last(namesAndValues ...string) (v float64, n int) {
	f.t.Helper()
	q, err := f.db.Querier(0, time.Now().Add(time.Hour).UnixMilli())
	if err != nil {
		f.t.Fatal(err)
	}
	defer q.Close()
	var ms []*labels.Matcher
	for i := 0; i < len(namesAndValues); i += 2 {
		ms = append(ms, labels.MustNewMatcher(labels.MatchEqual, namesAndValues[i], namesAndValues[i+1]))
	}
	set := q.Select(context.Background(), false, nil, ms...)
	series := 0
	for set.Next() {
		series++
		it := set.At().Iterator(nil)
		for typ := it.Next(); typ != chunkenc.ValNone; typ = it.Next() {
			n++
			switch typ {
			case chunkenc.ValFloat:
				_, v = it.At()
			default:
				_, fh := it.AtFloatHistogram(nil)
				v = fh.Count
			}
		}
	}
	if err := set.Err(); err != nil {
		f.t.Fatal(err)
	}
	if series > 1 {
		f.t.Fatalf("%v selects %d series", namesAndValues, series)
	}
	return v, n
}

// eventually waits for ok and fails with what it was waiting for.
func (f *fixture) eventually(what string, ok func() bool) {
	f.t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			f.t.Fatalf("%s: not within %v; targets: %+v", what, patience, f.Targets())
		}
	}
}

func (f *fixture) eventuallyIs(want float64, namesAndValues ...string) {
	f.t.Helper()
	f.eventually(fmt.Sprintf("%v = %v", namesAndValues, want), func() bool {
		v, n := f.last(namesAndValues...)
		return n > 0 && v == want
	})
}

func (f *fixture) eventuallyStale(namesAndValues ...string) {
	f.t.Helper()
	f.eventually(fmt.Sprintf("%v stale", namesAndValues), func() bool {
		v, n := f.last(namesAndValues...)
		return n > 0 && value.IsStaleNaN(v)
	})
}

// target returns the target of a job once its last scrape ended like this: with this health, and an error containing
// the text, or none.
func (f *fixture) target(job, health, lastError string) scrape.Target {
	f.t.Helper()
	var found scrape.Target
	f.eventually(fmt.Sprintf("%s is %s, error %q", job, health, lastError), func() bool {
		for _, t := range f.Targets() {
			if t.Job == job && t.Health == health && strings.Contains(t.LastError, lastError) && (lastError == "") == (t.LastError == "") {
				found = t
				return true
			}
		}
		return false
	})
	return found
}

// serve is a target that answers with the text and returns its host:port.
func serve(t *testing.T, text string) (*httptest.Server, string) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		fmt.Fprint(w, text)
	}))
	t.Cleanup(s.Close)
	return s, address(s)
}

func address(s *httptest.Server) string {
	_, hostPort, _ := strings.Cut(s.URL, "://")
	return hostPort
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
