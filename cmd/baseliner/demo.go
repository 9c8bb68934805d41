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
	"time"

	"github.com/alecthomas/kingpin/v2"
	group "github.com/oklog/run"

	"github.com/baseliner/baseliner/pkg/config"
	"github.com/baseliner/baseliner/pkg/web"
)

const (
	demoTick     = 30 * time.Second // how often the demo judges
	demoScrape   = 5 * time.Second
	demoQuiet    = 20 * time.Second // of peace before the incident, at least
	demoPatience = 3 * time.Minute  // of the database, beyond the incident, until somebody is told of the drop
	demoSettle   = 30 * time.Minute // after which the story is over even if an alert is not
)

type demoOptions struct {
	weeks        int
	seed         uint64
	zone         string
	listen, path string
	incident     time.Duration
	exit         bool
}

func demoFlags(c *kingpin.CmdClause) *demoOptions {
	o := &demoOptions{}
	c.Flag("weeks", "Weeks of history that the shop has.").Default("5").IntVar(&o.weeks)
	c.Flag("seed", "Of the simulation: the same seed gives the same history.").Default("1").Uint64Var(&o.seed)
	c.Flag("timezone", "IANA time zone in which the shop's customers live.").Default("UTC").StringVar(&o.zone)
	c.Flag("incident", "How long the database is slow, at least: it is repaired when the drop of conversion was told, or three minutes later.").Default("2m").SetValue((*flagDuration)(&o.incident))
	c.Flag("exit", "End when the story is told, instead of serving the pages until it is interrupted.").BoolVar(&o.exit)
	c.Flag("web.listen-address", "Address of the pages.").Default("127.0.0.1:9780").StringVar(&o.listen)
	c.Flag("storage.path", "An empty directory to keep; by default a temporary one, which is removed.").StringVar(&o.path)
	return o
}

// runDemo shows in a few minutes what the program is for: a simulated shop is scraped for real, an incident is found, told
// over HTTP to a receiver that prints it, and ends.
func runDemo(ctx context.Context, o *demoOptions, stdout io.Writer, logger *slog.Logger) (err error) {
	zone, err := time.LoadLocation(o.zone)
	if err != nil {
		return fmt.Errorf("--timezone: %w", err)
	}
	if o.weeks < 1 || o.weeks > 8 {
		return fmt.Errorf("--weeks=%d is not between 1 and 8: history is kept for 60 days", o.weeks)
	}
	if o.listen, err = freeListener(ctx, o.listen); err != nil {
		return err
	}
	cleanUp, err := o.claim()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cleanUp()) }()

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	began := time.Now()
	shop, err := newDemoShop(ctx, o, began, zone)
	if err != nil {
		return err
	}
	story := newNarrator(stdout, zone)
	receiver, err := web.Listen(ctx, "127.0.0.1:0")
	if err != nil {
		return err
	}
	file, err := writeDemoConfig(o, shop.address(), receiver[0].Addr().String())
	if err != nil {
		return err
	}
	story.begins(o)
	if err := shop.learnPast(ctx, o, file, stdout, logger); err != nil {
		return err
	}
	story.knows(time.Since(began))

	var g group.Group
	actor := func(f func(context.Context) error) {
		actorCtx, stop := context.WithCancel(ctx)
		g.Add(func() error { return f(actorCtx) }, func(error) { stop() })
	}
	serve := func(h http.Handler, ls ...net.Listener) {
		actor(func(c context.Context) error { return web.Server{Handler: h, Logger: logger}.Run(c, ls...) })
	}
	serve(shop, shop.listener)
	serve(story, receiver...)
	actor(func(c context.Context) error {
		return runInstance(c, &runOptions{config: file, path: o.path, listen: []string{o.listen}, admin: true}, logger)
	})
	actor(func(c context.Context) error {
		if err := story.tell(c, o, shop, "http://"+o.listen); err != nil {
			return err
		}
		if !o.exit {
			<-c.Done()
		}
		return nil
	})
	if err := g.Run(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// freeListener makes sure that nobody listens on the address before minutes are spent, and names the port where any will do.
func freeListener(ctx context.Context, address string) (string, error) {
	ls, err := web.Listen(ctx, address)
	if err != nil {
		return "", fmt.Errorf("%w; choose another with --web.listen-address", err)
	}
	at := ls[0].Addr().String()
	return at, ls[0].Close()
}

// claim makes the directory of the demo and returns what cleans it up.
func (o *demoOptions) claim() (func() error, error) {
	if o.path == "" {
		dir, err := os.MkdirTemp("", "baseliner-demo-")
		if err != nil {
			return nil, fmt.Errorf("create storage: %w", err)
		}
		o.path = dir
		return func() error { return os.RemoveAll(dir) }, nil
	}
	if entries, err := os.ReadDir(o.path); err == nil && len(entries) > 0 {
		return nil, fmt.Errorf("--storage.path=%s is not empty", o.path)
	}
	if err := os.MkdirAll(o.path, 0o750); err != nil {
		return nil, fmt.Errorf("create storage: %w", err)
	}
	return func() error { return nil }, nil
}

// writeDemoConfig writes what a user of the shop would have written: where to scrape, what is theirs beside the packs,
// and whom to tell.
func writeDemoConfig(o *demoOptions, shop, receiver string) (string, error) {
	file := filepath.Join(o.path, "demo.yml")
	text := fmt.Sprintf(demoConfig, demoTick, o.zone, shop, receiver)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return "", fmt.Errorf("write configuration: %w", err)
	}
	_, err := config.Load(file, config.Options{})
	return file, err
}

const demoConfig = `# What the demo runs with. The packs bring most signals; these three look at one minute instead of five.
global: {scrape_interval: 5s, scrape_timeout: 4s, evaluation_interval: %[1]s, evaluation_delay: 2s, timezone: %[2]s}
scrape_configs:
  - {job_name: node, metrics_path: /node/metrics, static_configs: [{targets: ['%[3]s']}]}
  - {job_name: postgres, metrics_path: /postgres/metrics, static_configs: [{targets: ['%[3]s']}]}
  - {job_name: shop, metrics_path: /shop/metrics, static_configs: [{targets: ['%[3]s']}]}
signals:
  - name: database_query_time
    layer: infrastructure
    expr: |
      sum by (queryid) (rate(pg_stat_statements_seconds_total[1m])) / (sum by (queryid) (rate(pg_stat_statements_calls_total[1m])) > 0)
    unit: seconds
    direction: up
    min_change: {absolute: 0.005, relative: 50%%}
    annotations: {runbook: 'SELECT query FROM pg_stat_statements WHERE queryid = this one, then EXPLAIN it: is an index gone?'}
  - name: checkout_latency_p95
    layer: application
    expr: histogram_quantile(0.95, sum by (le) (rate(http_request_duration_seconds_bucket{job="shop", route="/checkout"}[1m])))
    unit: seconds
    direction: up
    min_change: {absolute: 0.05, relative: 10%%}
    annotations: {runbook: 'What does the checkout wait for? Compare with database_query_time.'}
  - name: conversion
    layer: business
    ratio: {numerator: 'sum(increase(orders_total[1m]))', denominator: 'sum(increase(checkouts_total[1m]))'}
    window: 1m
    unit: ratio
    direction: down
    severity: critical
    annotations: {runbook: 'Visitors leave at the checkout. Is it slow (checkout_latency_p95), broken (http_errors), or is it the payment provider?'}
alerting:
  route:
    {receiver: terminal, group_by: [], group_wait: 2s, group_interval: 5s, repeat_interval: 4h, routes: [{receiver: pages, matchers: ['severity="info"']}]}
  receivers:
    - {name: terminal, webhook_configs: [{url: 'http://%[4]s/'}]}
    - {name: pages} # signals of packs are shown and wake nobody
`
