package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/alertmanager/notify/webhook"
	"github.com/prometheus/alertmanager/template"
)

// narrator is the receiver of the demo's alerts: it prints what it is told, as a person would want to read it, and what
// happens meanwhile.
type narrator struct {
	zone *time.Location

	mu    sync.Mutex
	w     io.Writer
	open  map[string]string // severity of alerts that fire, by fingerprint
	ever  int
	grew  bool          // an incident was told to be graver than when it began
	lost  bool          // the business was told to suffer
	heard chan struct{} // has room for one: something was delivered
}

func newNarrator(w io.Writer, zone *time.Location) *narrator {
	return &narrator{w: w, zone: zone, open: map[string]string{}, heard: make(chan struct{}, 1)}
}

func (n *narrator) say(format string, args ...any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	fmt.Fprintf(n.w, format+"\n", args...)
}

func (n *narrator) clock() string { return time.Now().In(n.zone).Format("15:04:05") }

func (n *narrator) begins(o *demoOptions) {
	n.say(`A web shop, simulated (seed %d): a machine with two containers, a database, an HTTP service, visits and orders.
Its history of %s is made now, a sample every 30 s, and stepped through the code that runs live. From then on nothing
is sped up: three pages of metrics are scraped every 5 s and judged every %s. Signals of packs
are shown on the pages; the three that the shop's owner wrote ring.
`, o.seed, plural(o.weeks, "week"), demoTick)
}

func (n *narrator) knows(took time.Duration) {
	n.say("It took %.0f s to learn what is normal for every hour of the shop's week.", took.Seconds())
}

// ServeHTTP takes a notification.
func (n *narrator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var m webhook.Message
	if err := json.NewDecoder(r.Body).Decode(&m); err != nil || m.Data == nil {
		http.Error(w, "no notification", http.StatusBadRequest)
		return
	}
	n.hear(m.Alerts)
	select {
	case n.heard <- struct{}{}:
	default:
	}
}

// hear prints what is new in a notification: a group is told as a whole whenever it changes.
func (n *narrator) hear(alerts template.Alerts) {
	n.mu.Lock()
	defer n.mu.Unlock()
	var began, graver, over template.Alerts
	for _, a := range alerts {
		severity, known := n.open[a.Fingerprint]
		firing, now := a.Status == "firing", a.Labels["severity"]
		switch {
		case firing && !known:
			n.open[a.Fingerprint] = now
			n.ever++
			began = append(began, a)
		case firing && now != severity: // an incident that a graver part joined
			n.open[a.Fingerprint], n.grew = now, true
			graver = append(graver, a)
		case !firing && known:
			delete(n.open, a.Fingerprint)
			over = append(over, a)
		}
		n.lost = n.lost || firing && (a.Labels["layer"] == "business" || now == "critical")
	}
	n.print("FIRING", began)
	n.print("NOW CRITICAL", graver)
	n.print("RESOLVED", over)
}

// print writes alerts with what may be the cause first: the machine, then the program, then the business.
func (n *narrator) print(what string, alerts template.Alerts) {
	if len(alerts) == 0 {
		return
	}
	depth := []string{"infrastructure", "application", "business"}
	slices.SortFunc(alerts, func(a, b template.Alert) int {
		return cmp.Or(cmp.Compare(slices.Index(depth, a.Labels["layer"]), slices.Index(depth, b.Labels["layer"])), a.StartsAt.Compare(b.StartsAt),
			cmp.Compare(a.Labels["alertname"], b.Labels["alertname"]))
	})
	fmt.Fprintf(n.w, "\n── %s ── %s: %s ──\n", n.clock(), what, plural(len(alerts), "alert"))
	for _, a := range alerts {
		fmt.Fprintf(n.w, "  %-14s %s\n", a.Labels["layer"], a.Annotations["summary"])
		if text := a.Annotations["impact"]; text != "" {
			fmt.Fprintf(n.w, "  %-14s impact: %s\n", "", text)
		}
		if what == "RESOLVED" {
			continue
		}
		if text := a.Annotations["runbook"]; text != "" && a.Labels["severity"] != "info" {
			fmt.Fprintf(n.w, "  %-14s what to do: %s\n", "", text)
		}
		if a.Labels["severity"] != "info" {
			fmt.Fprintf(n.w, "  %-14s look: %s\n", "", link(a.GeneratorURL))
		}
	}
	fmt.Fprintln(n.w)
}

// link is the page of an alert without what only Prometheus' own page would need.
func link(page string) string {
	u, err := url.Parse(page)
	if err != nil {
		return page
	}
	q := u.Query()
	for name := range q {
		if strings.HasPrefix(name, "g0.") {
			q.Del(name)
		}
	}
	u.RawQuery = q.Encode()
	return u.String()
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// tell is the story: some peace, an incident, its end, and what to look at next.
func (n *narrator) tell(ctx context.Context, o *demoOptions, shop *demoShop, page string) error {
	if err := ready(ctx, page); err != nil {
		return err
	}
	// A tick judges what came before it: the incident begins soon after one.
	from := time.Now().Add(demoQuiet - 5*time.Second).Truncate(demoTick).Add(demoTick + 5*time.Second)
	to := from.Add(o.incident)
	shop.breaks(from, to)
	n.say("%s  All is well. Pages: %s/", n.clock(), page)
	if !pause(ctx, time.Until(from)) {
		return nil
	}
	n.say("%s  Now the database becomes slow: the index of one query of the checkout is gone. Nobody has set a threshold.", n.clock())
	if to = n.repair(ctx, shop, to); ctx.Err() != nil {
		return nil
	}
	n.say("%s  The index is back. Ends are told with patience, in ten to twenty minutes: conversion is judged on the counts of ten\n          minutes, and an incident is over when all has been quiet for five.", n.clock())
	late := time.After(time.Until(to.Add(demoSettle)))
	for !n.quiet() {
		select {
		case <-ctx.Done():
			return nil
		case <-late:
			if o.exit {
				return fmt.Errorf("the story has no end: %s", n.state())
			}
			n.say("%s  %s; its end will be told here.", n.clock(), n.state())
		case <-n.heard:
		}
	}
	n.say("%s  It is over: %s. What lies outside its band teaches a tenth:", n.clock(), n.sum())
	n.say("          tomorrow at this hour the shop is judged as if today had been well.\n\nWhat to look at next")
	for _, next := range [][2]string{
		{"every signal with its band", page + "/"},
		{"the drop, and what was normal", page + "/signal?name=conversion"},
		{"why it fired, gate by gate", os.Args[0] + " explain --url=" + page + " --signal=conversion --at=" + to.UTC().Format(time.RFC3339)},
		{"ready-made signals, and why each is on", os.Args[0] + " check --url=" + page},
		{"bands for your own Prometheus", page + "/metrics/results"},
		{"your own /metrics, your own Prometheus", "README.md"},
	} {
		n.say("  %-40s %s", next[0], next[1])
	}
	if !o.exit {
		n.say("\nThe shop goes on. Ctrl-C ends it.")
	}
	return nil
}

// repair waits for the end of the incident and returns it. Where few visitors come, in the night, it takes more of them to be sure
// that conversion drops: nobody repairs what was not told yet.
func (n *narrator) repair(ctx context.Context, shop *demoShop, to time.Time) time.Time {
	const ahead = 2 * time.Second // the simulation is told before time gets there
	for last := to.Add(demoPatience); pause(ctx, time.Until(to.Add(-ahead))); {
		n.mu.Lock()
		told := n.lost
		n.mu.Unlock()
		if told || !to.Before(last) {
			pause(ctx, time.Until(to))
			break
		}
		more := to.Add(demoScrape)
		shop.breaks(to, more)
		to = more
	}
	return to
}

// quiet reports whether something was told and all of it has ended.
func (n *narrator) quiet() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.ever > 0 && len(n.open) == 0
}

// sum says how often somebody was told.
func (n *narrator) sum() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	when := "when it began and when it ended"
	if n.grew {
		when = "when it began, when it became critical and when it ended"
	}
	if n.ever == 1 {
		return "one alert for all of it, told " + when
	}
	return plural(n.ever, "alert") + ", told " + when
}

func (n *narrator) state() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ever == 0 {
		return "nothing was told"
	}
	return plural(len(n.open), "alert") + " of " + strings.TrimSpace(fmt.Sprint(n.ever)) + " still open"
}

// pause waits, unless the context ends first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// ready waits until the pages are served.
func ready(ctx context.Context, page string) error {
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, page+"/-/ready", nil)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			_ = resp.Body.Close() // nothing in it matters
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		if !pause(ctx, 200*time.Millisecond) {
			return ctx.Err()
		}
	}
}
