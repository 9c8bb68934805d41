package config

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/alertmanager/dispatch"

	"github.com/baseliner/baseliner/pkg/alert"
	"github.com/baseliner/baseliner/pkg/alert/webhook"
	"github.com/baseliner/baseliner/pkg/calendar"
	"github.com/baseliner/baseliner/pkg/series"
	"github.com/baseliner/baseliner/pkg/signal"
)

func fullEnv() func(string) (string, bool) {
	return env("CLUSTER", "eu1", "HOOK", "https://hooks.example/T0PS3CRET", "MAX", "12")
}

func loadFull(t *testing.T) *Config {
	t.Helper()
	cfg, err := Load("testdata/good/full.yml", Options{LookupEnv: fullEnv()})
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func loadString(text string) (*Config, error) {
	return LoadBytes("test.yml", []byte(text), Options{LookupEnv: env("SET", "7")})
}

func equal[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s\ngot:  %+v\nwant: %+v", what, got, want)
	}
}

func TestFull(t *testing.T) {
	cfg := loadFull(t)
	equal(t, "global", cfg.Global, Global{
		EvaluationInterval: 30 * time.Second,
		EvaluationDelay:    10 * time.Second,
		Lookback:           2 * time.Minute,
		Timezone:           "Europe/Berlin",
		ExternalLabels:     map[string]string{"cluster": "eu1", "tier": "1"},
	})
	equal(t, "limits", cfg.Limits, Limits{
		Future: 5 * time.Minute, Series: 100_000, Labels: 40, LabelValueBytes: 4096, SamplesPerScrape: 50_000, BodyBytes: 16 << 20, InFlightBytes: 64 << 20,
	})
	equal(t, "engine", cfg.Engine, Engine{
		Live:    Store{Retention: 72 * time.Hour, MaxBytes: 128 << 20},
		History: Store{Retention: 90 * 24 * time.Hour, MaxBytes: 1 << 30},
	})
	events := []calendar.Event{
		{Name: "Derby", Kind: calendar.Timed, Length: 2 * 3600_000, Starts: []int64{time.Date(2026, 11, 28, 17, 30, 0, 0, time.UTC).UnixMilli()}},
		{Name: "Open day", Kind: calendar.AllDay, Length: 1, Starts: []int64{int64(calendar.DayOf(2026, 9, 12)), int64(calendar.DayOf(2027, 9, 11))}},
	}
	for _, e := range events {
		e.Name, e.Like = "Any of them", calendar.LikeSunday+6
		events = append(events, e)
	}
	equal(t, "calendar", cfg.Calendar, &calendar.Rules{
		Dates: []calendar.Date{
			{Day: calendar.DayOf(2026, 11, 27), Name: "Black Friday"},
			{Day: calendar.DayOf(2026, 12, 24), Like: calendar.LikeSunday + 6},
		},
		Events:    events,
		Countries: []calendar.Country{{Code: "DE"}, {Code: "DE", Region: "BY", Like: calendar.LikeOwn}},
		Cycles: []calendar.Cycle{
			calendar.MonthEnd, calendar.MonthStart,
			{Name: "payday", MonthDay: 25},
			{Name: "tuesday 2", Weekday: time.Tuesday, Nth: 2},
			{Name: "thursday 4 in november, +1", Weekday: time.Thursday, Nth: 4, Months: []time.Month{time.November}, Offset: 1},
		},
	})
	equal(t, "annotations", cfg.Annotations, Annotations{Enabled: true, TokenFile: "testdata/good/secret.txt"})
	if len(cfg.Signals) != 3 {
		t.Fatalf("signals: %+v", cfg.Signals)
	}
	latency := signal.Definition{
		Name:          "checkout_latency_p95",
		Layer:         series.Application,
		Expr:          `histogram_quantile(0.95, sum by (le) (rate(http_request_duration_seconds_bucket{route=~"/checkout$"}[5m])))`,
		Unit:          "seconds",
		Direction:     series.Up,
		MinChange:     signal.MinChange{Absolute: 0.05, Relative: 0.1},
		For:           2 * time.Minute,
		KeepFiringFor: 5 * time.Minute,
		Interval:      15 * time.Second,
		Lookback:      time.Minute,
		Zone:          "America/New_York",
		Kind:          "gauge",
		AbsentFor:     10 * time.Minute,
		Budget:        signal.Budget{Signal: 3, Total: 14},
		Severity:      "critical",
		Alert:         "CheckoutSlow",
		Team:          "shop",
		RunbookURL:    "https://runbooks.example/checkout",
		Labels:        map[string]string{"service": "checkout"},
		Annotations:   map[string]string{"summary": "{{ $value }} of ${TOTAL}"},
		Calendar:      cfg.Calendar,
	}
	equal(t, "first signal", cfg.Signals[0], latency)
	equal(t, "second signal", cfg.Signals[1], signal.Definition{
		Name:      "conversion",
		Layer:     series.Business,
		Ratio:     &signal.Ratio{Numerator: "sum(increase(orders_total[5m]))", Denominator: "sum(increase(checkouts_total[5m]))"},
		Direction: series.Down,
		Interval:  30 * time.Second,
		Window:    5 * time.Minute,
		Zone:      "Europe/Berlin",
		Kind:      "auto",
		Budget:    signal.Budget{Signal: 0.25, Total: 14},
		Severity:  "warning",
		Alert:     "conversion",
		Calendar:  cfg.Calendar,

		ValuePerUnit: &signal.Money{Amount: 42, Currency: "EUR"},
	})
	equal(t, "correlation", cfg.Correlation, Correlation{
		MaxLag: 6 * time.Hour, FalseDiscoveryRate: 0.05,
		ServiceLabels: []string{"service", "app"}, Calls: [][2]string{{"checkout", "payment"}, {"shop", "checkout"}, {"shop", "search"}},
		CallMetrics: []string{"group by (client, server) (rate(traces_service_graph_request_total[10m]))"},
	})
	merged := latency
	merged.Name, merged.Severity, merged.BorrowFrom = "cart_latency_p95", "info", "checkout_latency_p95"
	equal(t, "signal from a merge key", cfg.Signals[2], merged)

	equal(t, "scrape intervals", cfg.ScrapeIntervals(), map[string]time.Duration{
		"shop": 15 * time.Second, "files": time.Minute, "web": 15 * time.Second, "names": 15 * time.Second, "pods": 15 * time.Second,
	})
	jobs, err := cfg.Scrape.GetScrapeConfigs()
	if err != nil {
		t.Fatal(err)
	}
	shop := jobs[0]
	equal(t, "scrape timeout", time.Duration(shop.ScrapeTimeout), 5*time.Second)
	equal(t, "limit lifted by 0", shop.SampleLimit, 0)
	equal(t, "limit of the job", jobs[1].SampleLimit, 10)
	equal(t, "limit by default", shop.LabelLimit, 40)
	equal(t, "path beside the file", shop.HTTPClientConfig.BasicAuth.PasswordFile, "testdata/good/secret.txt")
	equal(t, "regexp untouched", shop.RelabelConfigs[0].Regex.String(), "(.*):${PORT}")
	equal(t, "external labels of scraping", cfg.Scrape.GlobalConfig.ExternalLabels.Get("cluster"), "eu1")

	hook := cfg.Alerting.Receivers[0].Webhooks[0]
	equal(t, "url", hook.URL.Reveal(), "https://hooks.example/T0PS3CRET")
	equal(t, "send_resolved", hook.SendResolved, false)
	equal(t, "number from the environment", hook.MaxAlerts, 12)
	equal(t, "timeout", hook.Timeout, 3*time.Second)
	equal(t, "HTTP options", hook.HTTP.TLSConfig.InsecureSkipVerify, true)
	equal(t, "credentials file", hook.HTTP.Authorization.CredentialsFile, "testdata/good/secret.txt")
	second := cfg.Alerting.Receivers[0].Webhooks[1]
	equal(t, "url_file", second.URLFile, "testdata/good/hook.txt")
	equal(t, "send_resolved by default", second.SendResolved, true)
	equal(t, "timeout by default", second.Timeout, 10*time.Second)
	equal(t, "redirects by default", second.HTTP.FollowRedirects, true)

	equal(t, "budget of notifications", cfg.Alerting.Receivers[2].Budget, alert.Allowance{PerHour: 20, PerDay: 100})
	equal(t, "flapping", cfg.Alerting.Flapping, alert.Flapping{Begins: 3, Within: 2 * time.Hour, QuietFor: 45 * time.Minute})
	digest := *cfg.Alerting.Digest
	equal(t, "digest", []any{digest.Receiver, digest.Weekday, digest.At, digest.Zone.String()}, []any{"oncall", time.Friday, 16*time.Hour + 30*time.Minute, "America/New_York"})

	pager, _ := webhook.Named(webhook.PagerDuty)
	equal(t, "ready-made payload", cfg.Alerting.Receivers[1].Webhooks[0].Payload, pager)
	equal(t, "routing key", cfg.Alerting.Receivers[1].Webhooks[0].RoutingKey, "testdata/good/secret.txt")

	tree := dispatch.NewRoute(cfg.Alerting.Route, nil)
	equal(t, "group_wait", tree.RouteOpts.GroupWait, 10*time.Second)
	equal(t, "repeat_interval by default", tree.RouteOpts.RepeatInterval, 4*time.Hour)
	equal(t, "receiver of a child", tree.Routes[0].RouteOpts.Receiver, "quiet")
	equal(t, "tracing", cfg.Tracing.SamplingFraction, 0.1)
	equal(t, "files", cfg.Files(), []string{"testdata/good/events.ics", "testdata/good/hook.txt", "testdata/good/secret.txt"})
}

// TestEmpty loads files that say nothing: everything has a default.
func TestEmpty(t *testing.T) {
	for _, text := range []string{"", "\n\n", "# nothing\n", "---\n", "null\n", "{}", "\ufeff", "global:\nsignals:\nalerting:\n", "signals: []\r\n"} {
		cfg, err := loadString(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		equal(t, "global", cfg.Global, Global{
			EvaluationInterval: time.Minute,
			EvaluationDelay:    30 * time.Second,
			Lookback:           5 * time.Minute,
			Timezone:           "UTC",
		})
		equal(t, "future", cfg.Limits.Future, 10*time.Minute)
		equal(t, "engine", cfg.Engine, Engine{Live: Store{48 * time.Hour, 96 << 20}, History: Store{60 * 24 * time.Hour, 96 << 20}})
		g := cfg.Scrape.GlobalConfig
		equal(t, "limits of scraping",
			[]int{int(g.SampleLimit), int(g.BodySizeLimit), int(g.LabelLimit), int(g.LabelNameLengthLimit), int(g.LabelValueLengthLimit)},
			[]int{50_000, 16 << 20, 40, 256, 4096})
		if cfg.Alerting.Route != nil || cfg.Tracing != nil || len(cfg.Signals) != 0 || len(cfg.ScrapeIntervals()) != 0 {
			t.Errorf("%q: not empty: %+v", text, cfg)
		}
	}
}

func TestEncodings(t *testing.T) {
	cfg, err := loadString("\ufeffglobal:\r\n  timezone: Europe/Paris\r\n")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "zone", cfg.Global.Timezone, "Europe/Paris")
}

func TestEnv(t *testing.T) {
	check := func(in, want string) {
		t.Helper()
		cfg, err := loadString(fmt.Sprintf("signals: [{name: a, layer: business, expr: up, unit: %s}]", in))
		if err != nil {
			t.Errorf("%s: %v", in, err)
			return
		}
		if got := cfg.Signals[0].Unit; got != want {
			t.Errorf("%s: got %q, want %q", in, got, want)
		}
	}
	check(`'${SET}'`, "7")
	check(`'a${SET}b${SET}'`, "a7b7")
	check(`'$${SET}'`, "${SET}")
	check(`'$$$$'`, "$$")
	check(`'$SET ${set} ${1} $ ${'`, "$SET ${set} ${1} $ ${")
	check(`'$$${SET}'`, "$7")
}

// TestSchemaIsDocumented holds the manual to the structs: whoever adds a key writes it down.
func TestSchemaIsDocumented(t *testing.T) {
	b, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	keys := append(allKeys(reflect.TypeFor[fileSchema]()), allKeys(reflect.TypeFor[cycleSchema]())...)
	if len(keys) < 60 {
		t.Fatalf("only %d keys found", len(keys))
	}
	for _, key := range keys {
		if !bytes.Contains(b, []byte("`"+key+"`")) && !bytes.Contains(b, []byte("."+key+"`")) {
			t.Errorf("docs/configuration.md does not mention `%s`", key)
		}
	}
}

// TestExamples loads what people start from.
func TestExamples(t *testing.T) {
	files, err := filepath.Glob("../../config/*.yml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	for _, file := range files {
		cfg, err := Load(file, Options{LookupEnv: env()})
		if err != nil {
			t.Error(err)
			continue
		}
		if len(cfg.Signals) == 0 || len(cfg.ScrapeIntervals()) == 0 {
			t.Errorf("%s watches nothing", file)
		}
	}
}

func TestHashIsStable(t *testing.T) {
	equal(t, "hash", loadFull(t).Hash(), loadFull(t).Hash())
	a, err := loadString("limits: {future: 1m}")
	if err != nil {
		t.Fatal(err)
	}
	b, err := loadString("limits: {future: 2m}")
	if err != nil {
		t.Fatal(err)
	}
	if a.Hash() == b.Hash() {
		t.Error("two texts, one hash")
	}
}

func TestLinesAreSorted(t *testing.T) {
	_, err := Load("testdata/bad/notyet.yml", Options{LookupEnv: env()})
	errs, ok := errors.AsType[*Errors](err)
	if !ok {
		t.Fatalf("%T", err)
	}
	if !slices.IsSortedFunc(errs.Problems, func(a, b Problem) int { return a.Line - b.Line }) {
		t.Error("problems are not sorted by line")
	}
	for _, p := range errs.Problems {
		if p.Line == 0 || p.Key == "" || p.Cause == "" {
			t.Errorf("incomplete: %+v", p)
		}
	}
}

// What a scrape may bring follows limits, unless global or the job says otherwise.
func TestLimitsOfScrapes(t *testing.T) {
	cfg, err := loadString(`
limits: {labels: 7, label_value_bytes: 1KiB, samples_per_scrape: 0, body_bytes: 1MiB}
global: {label_limit: 5}
scrape_configs: [{job_name: a}, {job_name: b, sample_limit: 3}]
`)
	if err != nil {
		t.Fatal(err)
	}
	a, b := cfg.Scrape.ScrapeConfigs[0], cfg.Scrape.ScrapeConfigs[1]
	equal(t, "labels", a.LabelLimit, 5)
	equal(t, "value", a.LabelValueLengthLimit, 1024)
	equal(t, "samples", a.SampleLimit, 0)
	equal(t, "body", int64(a.BodySizeLimit), 1<<20)
	equal(t, "samples of b", b.SampleLimit, 3)
}
