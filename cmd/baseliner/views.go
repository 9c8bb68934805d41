package main

import (
	"errors"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel"

	"github.com/baseliner/baseliner/pkg/alert"
	"github.com/baseliner/baseliner/pkg/baseline"
	"github.com/baseliner/baseliner/pkg/detect"
	"github.com/baseliner/baseliner/pkg/pipeline"
	"github.com/baseliner/baseliner/pkg/series"
	"github.com/baseliner/baseliner/pkg/web"
)

// handlers builds what is served on the listeners and on the probe address.
func (i *instance) handlers(reg *prometheus.Registry) (pages, probes http.Handler, err error) {
	prefix := i.o.prefix
	if prefix == "" {
		prefix = i.page.Path
	}
	o := web.Options{
		Logger: i.logger, Registry: reg, Views: &views{i}, TracerProvider: otel.GetTracerProvider(),
		Engine: i.stores.engine.Raw(), Storage: i.merged(),
		Healthy: func() error { return i.driver.Stuck(pace(i.cfg.Load())) },
		Reload:  i.reload, ExternalURL: i.page, RoutePrefix: prefix, ListenAddresses: i.o.listen,
		EnableLifecycle: i.o.lifecycle, EnableAdminAPI: i.o.admin, Build: build(),
		Annotations: notes{i.stores.notes}, AnnotationAccess: i.mayAnnotate, Unlearner: unlearner{i}, Explainer: explainer{i.in}, Incidents: incidents{i.in}, Reporter: i.reporter(),
		ConfigYAML: func() string { return i.cfg.Load().String() },
		Runtime: func() web.RuntimeInfo {
			return web.RuntimeInfo{
				StartTime: i.started, ReloadConfigSuccess: i.lastOK.Load(), LastConfigTime: time.Unix(i.reloaded.Load(), 0).UTC(),
				StorageRetention: retention(i.cfg.Load()),
			}
		},
		TSDB:   i.tsdbStatus,
		Routes: slices.Concat(i.alertRoutes(), i.inputs.routes(), i.packRoutes(), []web.Route{(&filler{instance: i}).route()}),
		Flags: map[string]string{
			"config.file": i.o.config, "storage.path": i.o.path, "web.listen-address": strings.Join(i.o.listen, ","),
			"web.probe-address": i.o.probe, "web.external-url": i.o.external, "web.route-prefix": i.o.prefix,
			"web.config.file": i.o.webConfig, "web.enable-lifecycle": strconv.FormatBool(i.o.lifecycle),
			"web.enable-admin-api": strconv.FormatBool(i.o.admin),
		},
	}
	if pages, err = web.NewHandler(o); err != nil {
		return nil, nil, err
	}
	probes, err = web.ProbeHandler(o)
	return pages, probes, err
}

// tsdbStatus describes the live store.
func (i *instance) tsdbStatus(limit int) (web.TSDBStatus, error) {
	head := i.stores.live.Head()
	st := head.Stats("__name__", limit)
	if st == nil {
		return web.TSDBStatus{}, errors.New("the store has no statistics yet")
	}
	out := web.TSDBStatus{HeadStats: web.HeadStats{NumSeries: st.NumSeries, MinTime: st.MinTime, MaxTime: st.MaxTime}}
	for _, s := range st.IndexPostingStats.CardinalityMetricsStats {
		out.SeriesCountByMetricName = append(out.SeriesCountByMetricName, web.TSDBStat{Name: s.Name, Value: s.Count})
	}
	for _, s := range st.IndexPostingStats.CardinalityLabelStats {
		out.LabelValueCountByLabelName = append(out.LabelValueCountByLabelName, web.TSDBStat{Name: s.Name, Value: s.Count})
	}
	for _, s := range st.IndexPostingStats.LabelValueStats {
		out.MemoryInBytesByLabelName = append(out.MemoryInBytesByLabelName, web.TSDBStat{Name: s.Name, Value: s.Count})
	}
	for _, s := range st.IndexPostingStats.LabelValuePairsStats {
		out.SeriesCountByLabelValuePair = append(out.SeriesCountByLabelValuePair, web.TSDBStat{Name: s.Name, Value: s.Count})
	}
	out.HeadStats.NumLabelPairs = st.IndexPostingStats.NumLabelPairs
	return out, nil
}

// views translates what the instance knows into what the pages show.
type views struct{ *instance }

func (v *views) Status() web.StatusView {
	cfg := v.cfg.Load()
	s := web.StatusView{
		Version: version, Started: v.started, Interval: pace(cfg).Seconds(), Timezone: cfg.Global.Timezone,
		Signals: len(cfg.Signals), Series: v.in.SeriesCount(),
	}
	if last := v.in.LastTick(); last > 0 {
		s.LastTick = time.UnixMilli(last).UTC()
		lag := time.Since(s.LastTick) - cfg.Global.EvaluationDelay - pace(cfg)
		s.TickLagSeconds = web.Float(max(lag.Seconds(), 0))
	}
	if !v.lastOK.Load() {
		s.Warnings = append(s.Warnings, "The last reload of the configuration failed; the one before is in force. The log says why.")
	}
	if err := v.stores.deliverer.Unwritable(); err != nil {
		s.Warnings = append(s.Warnings, "The disk takes nothing ("+err.Error()+"): alerts are sent from memory, and what no receiver has accepted would be lost with the process. Make room; everything is stored then.")
	}
	if cfg.Alerting.Route == nil {
		s.Warnings = append(s.Warnings, "No receiver is configured: alerts are shown here and logged, nobody is told.")
	}
	return s
}

func (v *views) Signals() []web.SignalView {
	all := v.in.Status()
	out := make([]web.SignalView, len(all))
	for k, s := range all {
		d := s.Def
		expr := d.Expr
		if d.Ratio != nil {
			expr = "(" + d.Ratio.Numerator + ") / (" + d.Ratio.Denominator + ")"
		}
		out[k] = web.SignalView{
			Name: d.Name, Layer: d.Layer.String(), Unit: d.Unit, Expr: expr, Direction: d.Direction.String(),
			Alert: d.Alert, Severity: d.Severity, For: d.For.Seconds(), KeepFiring: d.KeepFiringFor.Seconds(),
			Interval: d.Interval.Seconds(), RunbookURL: d.RunbookURL, Labels: d.Labels, Error: s.Error,
			Budget: budgetView(&s.Figures), Series: make([]web.SeriesView, len(s.Series)),
		}
		if len(s.Series) == 0 {
			out[k].Waiting = waiting(s.Waiting)
		}
		for n := range s.Series {
			out[k].Series[n] = seriesView(&s.Series[n])
		}
	}
	return out
}

func budgetView(f *pipeline.Figures) web.BudgetView {
	return web.BudgetView{
		PerWeek: web.Float(f.Budget), EpisodesPerWeek: web.Float(f.EpisodesPerWeek), Exponent: web.Float(f.Exponent),
		Coverage: web.Float(f.Coverage), CoverageLower: web.Float(f.Low), CoverageUpper: web.Float(f.High),
	}
}

// waiting says why nothing was observed yet.
func waiting(m series.Missing) string {
	switch m {
	case series.Observed:
		return "waiting for its first tick"
	case series.Gap:
		return "its range is not full of samples yet: it counts once it is"
	case series.Stale:
		return "its newest samples are too old to count"
	case series.NotANumber:
		return "the expression gives no number"
	case series.ZeroDenominator:
		return "its denominator is zero"
	case series.NoData:
		return "the expression returns nothing"
	case series.Downtime, series.ClockJump, series.QueryFailed, series.Overrun:
	}
	return "missing: " + m.String()
}

func seriesView(s *pipeline.SeriesStatus) web.SeriesView {
	v := &s.Verdict
	view := web.SeriesView{
		Labels: s.Labels.Map(), State: web.StateOK, Value: web.Float(v.Value), Expected: web.Float(v.Center),
		Lower: web.Float(v.Lower), Upper: web.Float(v.Upper), Score: web.Float(v.Score), Knowledge: s.Knowledge,
		LastTick: time.UnixMilli(v.T).UTC(),
	}
	if v.Missing != series.Observed {
		view.Value = web.Float(math.NaN())
	}
	switch {
	case s.Phase == detect.Firing:
		view.State = web.StateFiring
	case v.Missing != series.Observed:
		view.State, view.Reason = web.StateMissing, v.Missing.String()
	case s.Phase == detect.Pending:
		view.State = web.StatePending
	case !v.Known && v.Why == baseline.Thin:
		view.State, view.Reason = web.StateThin, v.Reason()
	case !v.Known:
		view.State, view.Reason = web.StateLearning, v.Reason()
	}
	if s.Phase != detect.Inactive {
		view.Since = time.UnixMilli(s.Since).UTC()
	}
	return view
}

func (v *views) Baselines(name string, match func(series.Labels) bool) []web.BaselineView {
	var out []web.BaselineView
	for _, p := range v.in.Profiles(name, match) {
		b := web.BaselineView{Signal: name, Labels: p.Labels.Map(), Zone: p.Zone}
		for h, x := range p.Hours {
			b.Hours[h] = web.HourView{Expected: web.Float(x.Expected), Lower: web.Float(x.Lower), Upper: web.Float(x.Upper), WeeksSeen: float64(x.Weeks)}
		}
		out = append(out, b)
	}
	return out
}

func (v *views) Anomalies() []web.AnomalyView {
	firing, over := v.stores.announcer.Episodes()
	units := map[string]string{}
	for _, d := range v.cfg.Load().Signals {
		units[d.Name] = d.Unit
	}
	out := make([]web.AnomalyView, 0, len(firing)+len(over))
	for k := range firing {
		out = append(out, anomalyView(&firing[k], units))
	}
	for k := len(over) - 1; k >= 0; k-- { // the newest first
		out = append(out, anomalyView(&over[k], units))
	}
	return out
}

func anomalyView(e *alert.Episode, units map[string]string) web.AnomalyView {
	number := func(name string) web.Float {
		x, err := strconv.ParseFloat(e.Annotations[name], 64)
		if err != nil {
			return web.Float(math.NaN())
		}
		return web.Float(x)
	}
	l := e.Labels
	view := web.AnomalyView{
		Signal: l["signal"], Layer: l["layer"], Labels: l, Alertname: l["alertname"], Severity: e.Severity(), Type: l["type"],
		Direction: l["direction"], StartsAt: time.UnixMilli(e.StartsAt).UTC(), State: "firing", Unit: units[l["signal"]],
		Observed: number("observed"), Expected: number("expected"), Lower: number("lower"), Upper: number("upper"), Score: number("score"),
		Summary: e.Annotations["summary"], Annotations: e.Annotations,
	}
	if !e.Firing {
		view.State, view.EndsAt = "resolved", time.UnixMilli(e.EndsAt).UTC()
	}
	return view
}

func (v *views) Targets() web.TargetsView {
	out := web.TargetsView{Active: []web.TargetView{}, Dropped: []web.DroppedTargetView{}}
	for _, t := range v.scrapes.Targets() {
		out.Active = append(out.Active, web.TargetView{
			DiscoveredLabels: t.Discovered, Labels: t.Labels, ScrapePool: t.Job, ScrapeURL: t.URL, GlobalURL: t.URL,
			LastError: t.LastError, LastScrape: t.LastScrape, LastScrapeDuration: t.Duration.Seconds(), Health: t.Health,
			ScrapeInterval: t.Interval.String(), ScrapeTimeout: t.Timeout.String(),
		})
	}
	dropped, counts := v.scrapes.Dropped()
	for _, d := range dropped {
		out.Dropped = append(out.Dropped, web.DroppedTargetView{DiscoveredLabels: d.Discovered, ScrapePool: d.Job})
	}
	out.DroppedCounts = counts
	return out
}

func (v *views) Metadata() map[string][]web.MetadataView { return map[string][]web.MetadataView{} }

var _ web.Views = (*views)(nil)
