package web

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Prometheus' tools know alerting rules in groups. A signal is such a rule, and a layer such a group.

type ruleGroup struct {
	Name           string    `json:"name"`
	File           string    `json:"file"`
	Rules          []rule    `json:"rules"`
	Interval       float64   `json:"interval"`
	Limit          int       `json:"limit"`
	EvaluationTime float64   `json:"evaluationTime"`
	LastEvaluation time.Time `json:"lastEvaluation"`
}

type rule struct {
	State          string            `json:"state"`
	Name           string            `json:"name"`
	Query          string            `json:"query"`
	Duration       float64           `json:"duration"`
	KeepFiringFor  float64           `json:"keepFiringFor"`
	Labels         map[string]string `json:"labels"`
	Annotations    map[string]string `json:"annotations"`
	Alerts         []alert           `json:"alerts"`
	Health         string            `json:"health"`
	LastError      string            `json:"lastError,omitempty"`
	EvaluationTime float64           `json:"evaluationTime"`
	LastEvaluation time.Time         `json:"lastEvaluation"`
	Type           string            `json:"type"`
}

type alert struct {
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	State       string            `json:"state"`
	ActiveAt    time.Time         `json:"activeAt"`
	Value       string            `json:"value"`
}

// alerts is GET /api/v1/alerts: the open anomalies.
func (h *handler) alerts(*http.Request) (answer, error) {
	out := []alert{}
	for _, a := range h.Views.Anomalies() {
		if a.open() {
			out = append(out, a.alert())
		}
	}
	return answer{data: map[string][]alert{"alerts": out}}, nil
}

// open reports whether the anomaly has not ended.
func (a AnomalyView) open() bool { return a.State == "pending" || a.State == "firing" }

func (a AnomalyView) alert() alert {
	ls := map[string]string{}
	maps.Copy(ls, a.Labels)
	for n, v := range map[string]string{
		"alertname": a.Alertname, "signal": a.Signal, "layer": a.Layer, "severity": a.Severity, "type": a.Type, "direction": a.Direction,
	} {
		if v != "" {
			ls[n] = v
		}
	}
	annotations := a.Annotations
	if annotations == nil {
		annotations = map[string]string{"summary": a.Summary}
	}
	return alert{
		Labels: ls, Annotations: annotations, State: a.State, ActiveAt: a.StartsAt,
		Value: strconv.FormatFloat(float64(a.Observed), 'e', -1, 64),
	}
}

// rules is GET /api/v1/rules with the filters type, rule_name[], rule_group[], file[] and exclude_alerts.
func (h *handler) rules(r *http.Request) (answer, error) {
	groups := []*ruleGroup{}
	if kind := strings.ToLower(r.FormValue("type")); kind == "record" {
		return answer{data: map[string]any{"groups": groups}}, nil
	} else if kind != "" && kind != "alert" {
		return answer{}, badParameter("type", errNotAlertOrRecord)
	}
	wanted := func(param, v string) bool {
		list := r.Form[param]
		return len(list) == 0 || slices.Contains(list, v)
	}
	open := map[string][]alert{}
	if exclude, _ := strconv.ParseBool(r.FormValue("exclude_alerts")); !exclude {
		for _, a := range h.Views.Anomalies() {
			if a.open() {
				open[a.Signal] = append(open[a.Signal], a.alert())
			}
		}
	}
	byLayer := map[string]*ruleGroup{}
	for _, s := range h.Views.Signals() {
		if !wanted("rule_group[]", s.Layer) || !wanted("rule_name[]", s.alertname()) || !wanted("file[]", rulesFile) {
			continue
		}
		g := byLayer[s.Layer]
		if g == nil {
			g = &ruleGroup{Name: s.Layer, File: rulesFile, Interval: s.Interval}
			byLayer[s.Layer] = g
			groups = append(groups, g)
		}
		g.Interval = min(g.Interval, s.Interval)
		one := s.rule(open[s.Name])
		if one.LastEvaluation.After(g.LastEvaluation) {
			g.LastEvaluation = one.LastEvaluation
		}
		g.Rules = append(g.Rules, one)
	}
	return answer{data: map[string]any{"groups": groups}}, nil
}

// errNotAlertOrRecord is the answer to any other type of rule.
var errNotAlertOrRecord = errors.New("not supported value, want alert or record")

// rulesFile stands where Prometheus names the file of a group: signals come from the configuration.
const rulesFile = "signals"

func (s SignalView) alertname() string {
	if s.Alert != "" {
		return s.Alert
	}
	return s.Name
}

func (s SignalView) rule(open []alert) rule {
	if open == nil {
		open = []alert{}
	}
	out := rule{
		State: "inactive", Name: s.alertname(), Query: s.Expr, Duration: s.For, KeepFiringFor: s.KeepFiring,
		Labels:      map[string]string{"signal": s.Name, "layer": s.Layer, "severity": s.Severity},
		Annotations: map[string]string{}, Alerts: open, Health: "ok", Type: "alerting",
	}
	maps.Copy(out.Labels, s.Labels)
	if s.RunbookURL != "" {
		out.Annotations["runbook_url"] = s.RunbookURL
	}
	if s.Error != "" {
		out.Health, out.LastError = "err", s.Error
	}
	for _, series := range s.Series {
		if series.LastTick.After(out.LastEvaluation) {
			out.LastEvaluation = series.LastTick
		}
		switch {
		case series.State == StateFiring:
			out.State = "firing"
		case series.State == StatePending && out.State == "inactive":
			out.State = "pending"
		}
	}
	if out.LastEvaluation.IsZero() && s.Error == "" {
		out.Health = "unknown"
	}
	return out
}
