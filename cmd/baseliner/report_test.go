package main

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"gonum.org/v1/gonum/stat/distuv"
)

// shopFileText has ten-minute rows of a shop: orders fall by 10 % per 100 ms of checkout latency an hour later, a processor and a disk have
// nothing to do with it, and in the sixth week everything is slow for five hours.
func shopFileText(t *testing.T, weeks int, begin int64) string {
	t.Helper()
	const perHour = 6
	r := rand.New(rand.NewPCG(4, 2))
	n := weeks * 168 * perHour
	wiggle := func(hourly, sd float64) func() float64 {
		phi, x := math.Pow(hourly, 1.0/perHour), 0.0
		return func() float64 {
			x = phi*x + math.Sqrt(1-phi*phi)*r.NormFloat64()
			return sd * x
		}
	}
	crowd, slow, rate, cpu, disk := wiggle(0.8, 0.1), wiggle(0.7, 0.03), wiggle(0.6, 0.05), wiggle(0.8, 0.03), wiggle(0.8, 0.2)
	var b strings.Builder
	b.WriteString("timestamp,visits,orders,checkout_latency_seconds,node1|cpu_ratio,node2|cpu_ratio,disk_io_bytes\n")
	past := make([]float64, perHour)
	for i := range n {
		day := 1 - 0.6*math.Cos(2*math.Pi*float64(i%(24*perHour))/(24*perHour))
		v, l, c := crowd(), slow(), cpu()
		visits := distuv.Poisson{Lambda: 1300 * day * math.Exp(v), Src: r}.Rand()
		p := 0.05 * math.Exp(-1.05*past[i]+rate())
		hit := (5*168 + 86) * perHour
		struck := weeks > 5 && i >= hit && i < hit+5*perHour
		if struck {
			p, l = 0.02, l+0.5
		}
		past = append(past, l)
		orders := distuv.Poisson{Lambda: visits * p, Src: r}.Rand()
		cell := fmt.Sprint(orders)
		if i%500 == 7 {
			cell = ""
		}
		fmt.Fprintf(&b, "%d,%g,%s,%.4f,%.4f,%.4f,%.0f\n", begin+int64(i)*600, visits, cell, 0.2+0.08*day+0.1*v+l, 0.3+0.1*day+c, 0.31+0.1*day+c+0.005*r.NormFloat64(), 5e7*math.Exp(disk()))
	}
	return b.String()
}

func shopFile(t *testing.T, weeks int, begin int64) string {
	t.Helper()
	return write(t, t.TempDir(), "shop.csv", shopFileText(t, weeks, begin))
}

const someMonday = 1736726400 // 2025-01-13

func TestCorrelationReportOfAFile(t *testing.T) {
	file := shopFile(t, 8, someMonday)
	args := []string{"report", "correlation", "--input=" + file, "--outcome=orders", "--value-per-unit=42 EUR", "--timezone=Europe/Berlin"}
	md := must(t, args...)
	for _, want := range []string{
		"# How speed and reliability go with orders",
		"When **checkout_latency_seconds** was 100 ms above normal for its hour of the week, **orders** at equal traffic were **",
		"% lower** (95 % interval ", "about one hour later", "Grade A: 8 weeks, ", "traffic held equal",
		"No relation found between orders and node1|cpu_ratio (above ", "effects larger than those in brackets would have been seen",
		"These are associations in normal operation, not an experiment. Traffic volume and weekly rhythm are held equal; campaigns, releases, price changes and bots are not unless you mark them.",
		"To prove cause: slow a small share of traffic on purpose, or compare before and after a known release.", " EUR",
	} {
		if !strings.Contains(md, want) {
			t.Errorf("the text does not say %q", want)
		}
	}
	headings := []string{"The answer", "How it bends", "How much later", "What it takes", "Under load", "Over the week", "Everything that was tried", "Incidents in the period", "How sure this is, and what it is not"}
	if n := strings.Count(md, "\n## "); n != len(headings) {
		t.Errorf("%d sections", n)
	}
	for _, h := range headings {
		if !strings.Contains(md, "\n## "+h+"\n") {
			t.Errorf("no section %q", h)
		}
	}
	for _, word := range []string{"caus", "driv", "percentage points"} { // a relation is told, not claimed
		if text := strings.ReplaceAll(md, "To prove cause", ""); strings.Contains(strings.ToLower(text), word) {
			t.Errorf("the text says %q", word)
		}
	}

	var data struct {
		Method   string
		W, M     int
		Findings []struct {
			Driver, Grade string
			Lag           int                                `json:"lag_hours"`
			Effect        struct{ Value, Low, High float64 } `json:"effect_at_equal_traffic"`
			N             int
			Effective     float64 `json:"n_effective"`
			Q             float64
		}
		Incidents []struct {
			Lost  struct{ Value, Low, High float64 }
			Moved []string `json:"moved_at_the_same_time"`
		}
	}
	if err := json.Unmarshal([]byte(must(t, append(args, "--format=json")...)), &data); err != nil {
		t.Fatal(err)
	}
	if data.Method == "" || data.W != 8 || data.M != 3 || len(data.Findings) != 1 {
		t.Fatalf("%+v", data)
	}
	f := data.Findings[0]
	if f.Driver != "checkout_latency_seconds" || f.Grade != "A" || f.Lag != 1 || f.Effect.Low > -10 || f.Effect.High < -10 || f.Q > 0.05 || f.N < 1300 || f.Effective > float64(f.N) {
		t.Errorf("%+v", f)
	}
	// Five hours at 40 % of the usual orders, on a day of 390 an hour.
	if i := data.Incidents; len(i) != 1 || i[0].Lost.Low < 500 || i[0].Lost.High > 2500 || len(i[0].Moved) != 1 {
		t.Errorf("incidents %+v", data.Incidents)
	}

	out := filepath.Join(t.TempDir(), "report.html")
	must(t, append(args, "--format=html", "--out="+out)...)
	page, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	if text := string(page); strings.Count(text, "<svg") != 5 || strings.Contains(text, "<script") || strings.Contains(text, "src=") || strings.Contains(text, "http://127") {
		t.Errorf("the page has %d drawings, or is not alone", strings.Count(text, "<svg"))
	}
	for i, drawing := range strings.Split(string(page), "<svg")[1:] {
		d := xml.NewDecoder(strings.NewReader("<svg" + drawing[:strings.Index(drawing, "</svg>")+6]))
		for {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("drawing %d: %v", i, err)
			}
		}
		if strings.Contains(drawing, "NaN") || strings.Contains(drawing, "Inf") {
			t.Errorf("drawing %d has coordinates that are no numbers", i)
		}
	}

	args[1] = "impact"
	impact := must(t, args...)
	for _, want := range []string{"# Where to optimise first", "> **checkout_latency_seconds** above its usual went with **", " EUR** of orders lost in 30 days (95 % interval ", "takes at most, 30 days", "disk_io_bytes", "do not add them up"} {
		if !strings.Contains(impact, want) {
			t.Errorf("the impact does not say %q", want)
		}
	}
	var ranked struct {
		Ranking []struct {
			Driver, Outcome string
			Money           struct {
				Unit  string
				Month struct{ Value, Low, High float64 } `json:"observed_excess_per_30_days"`
			}
		}
		NotFound []struct {
			AtMost float64 `json:"at_most_per_30_days"`
		} `json:"not_found"`
	}
	if err := json.Unmarshal([]byte(must(t, append(args, "--format=json")...)), &ranked); err != nil {
		t.Fatal(err)
	}
	// Half of the hours are slower than usual, by 24 ms on average: 1.2 % of 390 orders an hour.
	if r := ranked.Ranking; len(r) != 1 || r[0].Money.Unit != "EUR" || r[0].Money.Month.Low > 0.0125*390*720*42 || r[0].Money.Month.High < 0.0125*390*720*42 || len(ranked.NotFound) != 2 || ranked.NotFound[0].AtMost < ranked.NotFound[1].AtMost {
		t.Errorf("%+v", ranked)
	}
	args[1] = "correlation"

	rows := strings.Split(strings.TrimSpace(must(t, append(args, "--format=csv")...)), "\n")
	if rows[0] != "table,row,column,value" || len(rows) < 500 {
		t.Errorf("%d rows of CSV under %q", len(rows), rows[0])
	}
}

func TestReportSaysWhatItWants(t *testing.T) {
	file := shopFile(t, 3, someMonday)
	for _, c := range []struct{ args, want string }{
		{"--url=http://127.0.0.1:1", "ask the instance"},
		{"--input=" + file, "--outcome is required: one of visits, orders, checkout_latency_seconds"},
		{"--input=" + file + " --outcome=sales", `no column is named "sales"`},
		{"--input=" + file + " --outcome=orders", "too few whole weeks: 3, want at least 4"},
		{"--input=" + file + " --outcome=orders --volume=nothing", `--volume: no column is named "nothing"`},
		{"--input=" + file + " --outcome=orders --range=soon", "--range=soon is not a duration such as 28d"},
		{"--input=" + file + " --outcome=orders --to=tomorrow", "to"},
		{"--input=" + file + " --outcome=orders --kind=ratio --volume=none", "--volume is required"},
		{"--input=" + file + " --outcome=orders --value-per-unit=much", "is not an amount and a currency"},
		{"--input=" + file + " --outcome=orders --timezone=Berlin", "time zone"},
		{"--input=" + file + ".missing --outcome=orders", "no such file"},
	} {
		if status, _, stderr := command(t, append([]string{"report", "correlation"}, strings.Fields(c.args)...)...); status == 0 || !strings.Contains(stderr, c.want) {
			t.Errorf("report correlation %s: status %d, %q; want %q", c.args, status, stderr, c.want)
		}
	}
}

// TestCorrelationReportOfAnInstance learns from a file, and asks the instance while it is stopped and while it runs.
func TestCorrelationReportOfAnInstance(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cfg := write(t, dir, "baseliner.yml", `
global: {evaluation_interval: 10m}
correlation: {max_lag: 3h, false_discovery_rate: 5%}
signals:
  - {name: visits, layer: business, kind: count, expr: sum(visits)}
  - {name: orders, layer: business, kind: count, expr: sum(orders), direction: down}
  - {name: checkout_latency_seconds, layer: application, unit: seconds, expr: max(latency)}
  - {name: disk_io_bytes, layer: infrastructure, unit: bytes, expr: max(disk)}
`)
	monday := time.Now().UTC().Truncate(24 * time.Hour)
	monday = monday.AddDate(0, 0, -(int(monday.Weekday())+6)%7)
	weeks := 6 + 1 // the last one is not over; what is after now is cut off
	rows := strings.Split(shopFileText(t, weeks, monday.Add(-6*168*time.Hour).Unix()), "\n")
	kept := rows[:1]
	for _, r := range rows[1:] {
		at, _, _ := strings.Cut(r, ",")
		if unix, err := strconv.ParseInt(at, 10, 64); err == nil && time.Unix(unix, 0).Before(time.Now().Add(-time.Hour)) {
			cells := strings.Split(r, ",")
			kept = append(kept, strings.Join(append(cells[:4], cells[6]), ","))
		}
	}
	kept[0] = "timestamp,visits,orders,checkout_latency_seconds,disk_io_bytes"
	storage := dir + "/data"
	must(t, "backfill", "--from="+write(t, dir, "past.csv", strings.Join(kept, "\n")), "--config.file="+cfg, "--storage.path="+storage)

	type answer struct {
		W, M     int
		Traffic  string
		MaxLag   int `json:"max_lag_hours"`
		Findings []struct {
			Driver, Layer, Grade string
			Lag                  int                                `json:"lag_hours"`
			Effect               struct{ Value, Low, High float64 } `json:"effect_at_equal_traffic"`
		}
	}
	ask := func(where ...string) (a answer) {
		t.Helper()
		if err := json.Unmarshal([]byte(must(t, append([]string{"report", "correlation", "--outcome=orders", "--format=json"}, where...)...)), &a); err != nil {
			t.Fatal(err)
		}
		return a
	}
	stopped := ask("--storage.path="+storage, "--config.file="+cfg)
	if stopped.W != 6 || stopped.Traffic != "visits" || stopped.MaxLag != 3 || len(stopped.Findings) != 1 {
		t.Fatalf("%+v", stopped)
	}
	f := stopped.Findings[0]
	if f.Driver != "checkout_latency_seconds" || f.Layer != "application" || f.Grade != "A" || f.Lag != 1 || f.Effect.Low > -10 || f.Effect.High < -10 {
		t.Errorf("%+v", f)
	}
	in := runInstanceOf(t, cfg, storage)
	defer in.stop()
	url := "--url=" + in.url
	eventually(t, "the report of the running instance", 30*time.Second, func() error {
		if status, _, stderr := command(t, "report", "correlation", "--outcome=orders", url); status != 0 {
			return errors.New(stderr)
		}
		return nil
	})
	if running := ask(url); !reflect.DeepEqual(running, stopped) {
		t.Errorf("running %+v, stopped %+v", running, stopped)
	}
	if page := must(t, "report", "correlation", "--outcome=orders", url, "--format=html"); !strings.Contains(page, "<svg") {
		t.Error("the page has no drawings")
	}
	if impact := must(t, "report", "impact", url); !strings.Contains(impact, "What measurements take of visits and orders") {
		t.Errorf("the impact of a running instance:\n%s", impact)
	}
	threeDaysAgo := time.Now().Add(-3 * 24 * time.Hour).UTC().Format(time.RFC3339)
	if change := must(t, "report", "change", "--at="+threeDaysAgo, url); !strings.Contains(change, "# Before and after ") || !strings.Contains(change, "checkout_latency_seconds") || !strings.Contains(change, "traffic is visits") {
		t.Errorf("the change of a running instance:\n%s", change)
	}
	if envelope := must(t, "report", "envelope", url); !strings.Contains(envelope, "Load is visits") || !strings.Contains(envelope, "checkout_latency_seconds") || strings.Contains(envelope, "| orders") {
		t.Errorf("the envelope of a running instance:\n%s", envelope)
	}
	weekly := must(t, "report", "weekly", url)
	for _, want := range []string{"# The week of ", "No incident.", "0 alerts of 0 signals", "Noise of the alerts", "| visits | business | ", "Health of the baselines", "above its usual went with **"} {
		if !strings.Contains(weekly, want) {
			t.Errorf("the weekly report does not say %q:\n%s", want, weekly)
		}
	}
	for format, want := range map[string]string{"html": "<h2>Noise of the alerts</h2>", "json": `"kind": "weekly"`, "csv": "noise,visits,alerts,0\n"} {
		if page := must(t, "report", "weekly", "--to=-1h", "--format="+format, url); !strings.Contains(page, want) {
			t.Errorf("the weekly report as %s does not say %q:\n%s", format, want, page)
		}
	}
	if status, _, stderr := command(t, "report", "weekly", "--to="+time.Now().Add(time.Hour).Format(time.RFC3339), url); status == 0 || !strings.Contains(stderr, "is later than now") {
		t.Errorf("a week that is not over: %d, %s", status, stderr)
	}
	if status, _, stderr := command(t, "report", "change", url); status == 0 || !strings.Contains(stderr, "no deploy was told") {
		t.Errorf("a change without a deploy: %d, %s", status, stderr)
	}
	for _, c := range []struct{ args, want string }{
		{"--outcome=sales", `outcome "sales" is not one of`},
		{"", "outcome is required: one of visits, orders"},
		{"--outcome=orders --range=28d", "--range and --to are for --input"},
		{"--outcome=orders --storage.path=" + storage + " --config.file=" + cfg, "is asked with --url"},
	} {
		if status, _, stderr := command(t, append([]string{"report", "correlation", url}, strings.Fields(c.args)...)...); status == 0 || !strings.Contains(stderr, c.want) {
			t.Errorf("report correlation %s: status %d, %q; want %q", c.args, status, stderr, c.want)
		}
	}
}

// TestChangeReportOfAFile tells a release after which the checkout is 60 ms slower.
func TestChangeReportOfAFile(t *testing.T) {
	t.Parallel()
	const begin, perHour = someMonday, 6
	release := begin + (4*168+30)*3600
	lines := strings.Split(strings.TrimSpace(shopFileText(t, 5, begin)), "\n")
	for i, l := range lines[1:] {
		if cells := strings.Split(l, ","); begin+i*600 >= release {
			v, err := strconv.ParseFloat(cells[3], 64)
			if err != nil {
				t.Fatal(err)
			}
			cells[3] = fmt.Sprintf("%.4f", v+0.06)
			lines[1+i] = strings.Join(cells, ",")
		}
	}
	file := write(t, t.TempDir(), "shop.csv", strings.Join(lines, "\n"))
	args := []string{"report", "change", "--input=" + file, "--outcome=orders", "--at=" + strconv.Itoa(release)}
	var data struct {
		Changed []struct {
			Measurement, Verdict string
			Effect               struct{ Value, Low, High float64 }
		}
		Same []struct{ Measurement string } `json:"no_change_seen"`
	}
	if err := json.Unmarshal([]byte(must(t, append(args, "--format=json")...)), &data); err != nil {
		t.Fatal(err)
	}
	// 60 ms of 290 ms.
	if c := data.Changed; len(c) != 1 || c[0].Measurement != "checkout_latency_seconds" || c[0].Verdict != "worse" || c[0].Effect.Low > 21 || c[0].Effect.High < 21 || len(data.Same) != 5 {
		t.Errorf("%+v", data)
	}
	if text := must(t, args...); !strings.Contains(text, "> **checkout_latency_seconds** is **worse**: higher by **") {
		t.Errorf("the text:\n%s", text)
	}
	for _, c := range []struct{ at, want string }{
		{"", "--at is required"}, {"--at=2020-01-01T00:00:00Z", "outside the rows"}, {"--at=" + strconv.Itoa(begin+86400), "want two weeks"},
	} {
		if status, _, stderr := command(t, strings.Fields("report change --input="+file+" "+c.at)...); status == 0 || !strings.Contains(stderr, c.want) {
			t.Errorf("%q: %d, %s; want %q", c.at, status, stderr, c.want)
		}
	}
}

// TestEnvelopeReportOfAFile has a queue that grows steeply above 70 % of the peak.
func TestEnvelopeReportOfAFile(t *testing.T) {
	t.Parallel()
	lines := strings.Split(strings.TrimSpace(shopFileText(t, 6, someMonday)), "\n")
	lines[0] += ",queue_seconds"
	for i, l := range lines[1:] {
		visits, err := strconv.ParseFloat(strings.Split(l, ",")[1], 64)
		if err != nil {
			t.Fatal(err)
		}
		load := visits / 2300
		lines[1+i] += fmt.Sprintf(",%.4f", 0.02+0.01*load+0.5*math.Max(load-0.7, 0))
	}
	file := write(t, t.TempDir(), "shop.csv", strings.Join(lines, "\n"))
	args := []string{"report", "envelope", "--input=" + file, "--outcome=orders"}
	var data struct {
		Traffic string
		All     []struct {
			Measurement, Verdict string
			Knee                 struct{ Value, Low, High float64 }
			Rows                 []struct {
				Hours int
				P50   *float64
			}
		} `json:"measurements"`
	}
	if err := json.Unmarshal([]byte(must(t, append(args, "--format=json")...)), &data); err != nil {
		t.Fatal(err)
	}
	if a := data.All; len(a) != 5 || a[0].Measurement != "queue_seconds" || a[0].Verdict != "knee" || a[0].Knee.Value < 0.55 || a[0].Knee.Value > 0.85 || data.Traffic != "visits" || len(a[0].Rows) != 5 {
		t.Errorf("%+v", data)
	}
	if text := must(t, args...); !strings.Contains(text, "> **queue_seconds** bends at **") || strings.Contains(text, "| orders") {
		t.Errorf("the text:\n%s", text)
	}
	if status, _, stderr := command(t, append(args, "--volume=none")...); status == 0 || !strings.Contains(stderr, "--volume is required") {
		t.Errorf("without a load: %d, %s", status, stderr)
	}
}

// TestCapacityReportOfAFile has processors that rise with the load, and a cache that does not.
func TestCapacityReportOfAFile(t *testing.T) {
	t.Parallel()
	lines := strings.Split(strings.TrimSpace(shopFileText(t, 5, someMonday)), "\n")
	lines[0] += ",db|cpu_ratio"
	r := rand.New(rand.NewPCG(6, 6))
	for i, l := range lines[1:] {
		visits, err := strconv.ParseFloat(strings.Split(l, ",")[1], 64)
		if err != nil {
			t.Fatal(err)
		}
		lines[1+i] += fmt.Sprintf(",%.4f", 0.05+0.5*visits/2600+0.01*r.NormFloat64())
	}
	file := write(t, t.TempDir(), "shop.csv", strings.Join(lines, "\n"))
	args := []string{"report", "capacity", "--input=" + file, "--outcome=orders"}
	var data struct {
		Resources []struct {
			Measurement string
			Peak        float64 `json:"peak_now"`
			Limit       float64
			Rises       bool                                 `json:"rises_with_load_or_time"`
			Scenarios   []struct{ Value, Low, High float64 } `json:"peak_with_more_load"`
		}
	}
	if err := json.Unmarshal([]byte(must(t, append(args, "--format=json")...)), &data); err != nil {
		t.Fatal(err)
	}
	if len(data.Resources) != 3 {
		t.Fatalf("%+v", data)
	}
	for _, c := range data.Resources {
		if c.Limit != 0.8 || len(c.Scenarios) != 5 || !c.Rises {
			t.Errorf("%+v", c)
		}
		if c.Measurement == "db|cpu_ratio" && (c.Peak < 0.5 || c.Peak > 0.7 || c.Scenarios[4].Value < 0.9) {
			t.Errorf("%+v", c)
		}
	}
	if text := must(t, append(args, "--limit=0.3")...); !strings.Contains(text, "is **over 30 % already**") {
		t.Errorf("the text:\n%s", text)
	}
	if status, _, stderr := command(t, append(args, "--limit=80")...); status == 0 || !strings.Contains(stderr, "not above 0 and at most 1") {
		t.Errorf("a limit of 80: %d, %s", status, stderr)
	}
}
