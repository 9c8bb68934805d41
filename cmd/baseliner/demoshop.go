package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/baseliner/baseliner/pkg/config"
	"github.com/baseliner/baseliner/pkg/demo"
	"github.com/baseliner/baseliner/pkg/storage/promql"
	"github.com/baseliner/baseliner/pkg/storage/tsdb"
	"github.com/baseliner/baseliner/pkg/web"
)

// demoRecent is how much of the end of the past is given to the live store as well: what rates look back at.
const demoRecent = 15 * time.Minute

// demoShop is the simulation behind an address: every scrape lets it run up to now.
type demoShop struct {
	listener    net.Listener
	first, last time.Time // of the past

	mu     sync.Mutex
	shop   *demo.Shop
	labels map[*demo.Page][]labels.Labels // of its samples, as a scrape of it gives them
	recent []tsdb.Raw                     // the end of the past
}

func newDemoShop(ctx context.Context, o *demoOptions, now time.Time, zone *time.Location) (*demoShop, error) {
	ls, err := web.Listen(ctx, "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &demoShop{listener: ls[0], last: now.Truncate(demoTick), labels: map[*demo.Page][]labels.Labels{}}
	s.first = s.last.Add(-time.Duration(o.weeks) * 7 * 24 * time.Hour)
	s.shop = demo.New(o.seed, s.first, s.last, zone)
	for _, p := range s.pages() {
		p.Each(func(ls labels.Labels, _ float64) {
			b := labels.NewBuilder(ls).Set("job", p.Job).Set("instance", s.address())
			s.labels[p] = append(s.labels[p], b.Labels())
		})
	}
	return s, nil
}

func (s *demoShop) address() string { return s.listener.Addr().String() }

func (s *demoShop) pages() []*demo.Page {
	return []*demo.Page{s.shop.Node, s.shop.Database, s.shop.Service}
}

// ServeHTTP is the pages, each under the name of its job.
func (s *demoShop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.pages() {
		if r.URL.Path == "/"+p.Job+"/metrics" {
			s.shop.Advance(time.Now(), demo.Step)
			w.Header().Set("Content-Type", "text/plain; version=0.0.4")
			_ = p.Write(w) // who scrapes has gone
			return
		}
	}
	http.NotFound(w, r)
}

// breaks tells the simulation of an incident to come.
func (s *demoShop) breaks(from, to time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shop.Break(from, to)
}

// learnPast steps an instance through weeks of the shop, as `backfill` does with a file of samples, and leaves the last
// minutes in the live store, where rates look for them.
func (s *demoShop) learnPast(ctx context.Context, o *demoOptions, file string, stdout io.Writer, logger *slog.Logger) (err error) {
	cfg, err := config.Load(file, config.Options{})
	if err != nil {
		return err
	}
	st, err := openStores(o.path, cfg, nil, logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.close()) }()
	scratch := filepath.Join(o.path, "past.tmp")
	bar := newProgress(stdout, s.first.UnixMilli(), s.last.UnixMilli())
	bar.title = "the shop's past"
	db, err := tsdb.Import(ctx, scratch, s.first.UnixMilli(), s.last.UnixMilli(), func(add func(tsdb.Raw) error) error {
		return s.live(s.last, func(r tsdb.Raw) error {
			bar.at(r.T, 0)
			return add(r)
		})
	})
	bar.done()
	if err != nil {
		return err
	}
	past := &past{first: s.first.UnixMilli(), last: s.last.UnixMilli()}
	past.close = func() error { return errors.Join(db.Close(), os.RemoveAll(scratch)) }
	defer func() { err = errors.Join(err, past.close()) }()
	if err := past.evaluate(ctx, cfg, db, promql.Intervals{Default: demo.PastStep}); err != nil {
		return err
	}
	bar = newProgress(stdout, past.first, past.last)
	bar.title = "what is normal"
	if _, err := fill(ctx, cfg, st, past, bar, logger); err != nil {
		return err
	}
	// Meanwhile time went on.
	app := st.live.Appender(ctx)
	write := func(r tsdb.Raw) error {
		_, err := app.Append(0, r.Labels, r.T, r.V)
		return err
	}
	for _, r := range s.recent {
		if err := write(r); err != nil {
			return fmt.Errorf("write recent samples: %w", errors.Join(err, app.Rollback()))
		}
	}
	if err := s.live(time.Now(), write); err != nil {
		return fmt.Errorf("write recent samples: %w", errors.Join(err, app.Rollback()))
	}
	s.recent = nil
	return app.Commit()
}

// live lets the shop run up to an instant and hands over what scrapes would have found on the way.
func (s *demoShop) live(to time.Time, add func(tsdb.Raw) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.shop.Now().Before(to) {
		step := demo.Step
		if s.shop.Now().Before(s.last.Add(-demoRecent)) {
			step = demo.PastStep
		}
		next := s.shop.Now().Add(step)
		if next.After(to) {
			return nil
		}
		s.shop.Advance(next, step)
		t := next.UnixMilli()
		var err error
		for _, p := range s.pages() {
			i := 0
			p.Each(func(_ labels.Labels, v float64) {
				r := tsdb.Raw{Labels: s.labels[p][i], T: t, V: v}
				i++
				if err == nil {
					err = add(r)
				}
				if step == demo.Step && !next.After(s.last) {
					s.recent = append(s.recent, r)
				}
			})
		}
		if err != nil {
			return err
		}
	}
	return nil
}
