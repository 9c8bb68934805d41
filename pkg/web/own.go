package web

import (
	"cmp"
	"errors"
	"math"
	"net/http"
	"slices"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/baseliner/baseliner/pkg/series"
)

// signalSummary is a signal in a list: how many series are in which state, and the series themselves, those that need
// attention first.
type signalSummary struct {
	SignalView
	SeriesTotal int                 `json:"series_total"`
	States      map[SeriesState]int `json:"states"`
}

// summarise sorts the series of a signal and keeps the first limit of them; 0 keeps all.
func summarise(s SignalView, limit int) signalSummary {
	out := signalSummary{SignalView: s, SeriesTotal: len(s.Series), States: map[SeriesState]int{}}
	out.Series = slices.Clone(s.Series)
	if out.Series == nil {
		out.Series = []SeriesView{}
	}
	for _, one := range s.Series {
		out.States[one.State]++
	}
	slices.SortStableFunc(out.Series, func(a, b SeriesView) int {
		return cmp.Or(cmp.Compare(b.State.severity(), a.State.severity()), cmp.Compare(b.excess(), a.excess()))
	})
	if limit > 0 && len(out.Series) > limit {
		out.Series = out.Series[:limit]
	}
	return out
}

// excess is how far from normal the series is, 0 when nobody knows.
func (s SeriesView) excess() float64 {
	if math.IsNaN(float64(s.Score)) {
		return 0
	}
	return math.Abs(float64(s.Score))
}

// ownSignals is GET signals?name=&layer=&series_limit=.
func (h *handler) ownSignals(r *http.Request) (answer, error) {
	limit, err := limitParam(r, "series_limit")
	if err != nil {
		return answer{}, err
	}
	name, layer := r.FormValue("name"), r.FormValue("layer")
	out := []signalSummary{}
	for _, s := range h.Views.Signals() {
		if (name == "" || s.Name == name) && (layer == "" || s.Layer == layer) {
			out = append(out, summarise(s, limit))
		}
	}
	if name != "" && len(out) == 0 {
		return answer{}, unknownSignal(name)
	}
	return answer{data: out}, nil
}

// ownBaseline is GET baseline?signal=&match=.
func (h *handler) ownBaseline(r *http.Request) (answer, error) {
	name := r.FormValue("signal")
	if name == "" {
		return answer{}, badParameter("signal", errors.New("name the signal"))
	}
	match, err := h.matchParam(r)
	if err != nil {
		return answer{}, err
	}
	out := h.Views.Baselines(name, match)
	if out == nil {
		if !slices.ContainsFunc(h.Views.Signals(), func(s SignalView) bool { return s.Name == name }) {
			return answer{}, unknownSignal(name)
		}
		out = []BaselineView{}
	}
	return answer{data: out}, nil
}

// ownAnomalies is GET anomalies?signal=&state=&match=.
func (h *handler) ownAnomalies(r *http.Request) (answer, error) {
	match, err := h.matchParam(r)
	if err != nil {
		return answer{}, err
	}
	signal, state := r.FormValue("signal"), r.FormValue("state")
	out := []AnomalyView{}
	for _, a := range h.Views.Anomalies() {
		if (signal == "" || a.Signal == signal) && (state == "" || a.State == state) && match(series.FromMap(a.Labels)) {
			out = append(out, a)
		}
	}
	return answer{data: out}, nil
}

// ownStatus is GET status: the status and how many series are in which state.
func (h *handler) ownStatus(*http.Request) (answer, error) {
	out := struct {
		StatusView
		Ready  bool                `json:"ready"`
		Reason string              `json:"reason,omitempty"`
		States map[SeriesState]int `json:"states"`
	}{StatusView: h.Views.Status(), Ready: true, States: map[SeriesState]int{}}
	if err := h.Ready(); err != nil {
		out.Ready, out.Reason = false, err.Error()
	}
	for _, s := range h.Views.Signals() {
		for _, one := range s.Series {
			out.States[one.State]++
		}
	}
	return answer{data: out}, nil
}

func unknownSignal(name string) error {
	return &apiError{typ: errNotFound, err: errors.New("no such signal: " + name)}
}

// matchParam parses match, a selector of series without a metric name such as {route="/checkout"}; absent matches all.
func (h *handler) matchParam(r *http.Request) (func(series.Labels) bool, error) {
	s := r.FormValue("match")
	if s == "" || s == "{}" {
		return func(series.Labels) bool { return true }, nil
	}
	ms, err := h.parser.ParseMetricSelector(s)
	if err != nil {
		return nil, badParameter("match", err)
	}
	return func(ls series.Labels) bool { return matches(ms, ls) }, nil
}

func matches(ms []*labels.Matcher, ls series.Labels) bool {
	for _, m := range ms {
		if !m.Matches(ls.Get(m.Name)) {
			return false
		}
	}
	return true
}
