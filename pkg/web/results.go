package web

import (
	"math"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/baseliner/baseliner/pkg/series"
)

// result is one of the gauges that every series has.
type result struct {
	name, help string
	value      func(SeriesView) Float
}

func results() []result {
	return []result{
		{"baseliner_expected", "What is normal for the signal now.", func(s SeriesView) Float { return s.Expected }},
		{"baseliner_lower", "The lowest value that is normal now; -Inf while too little is known.", func(s SeriesView) Float { return s.Lower }},
		{"baseliner_score", "How far the value exceeds what is normal: 1 and more, or -1 and less, is anomalous.", func(s SeriesView) Float { return s.Score }},
		{"baseliner_upper", "The highest value that is normal now; +Inf while too little is known.", func(s SeriesView) Float { return s.Upper }},
		{"baseliner_value", "The value of the signal at its last tick.", func(s SeriesView) Float { return s.Value }},
	}
}

// gatherResults returns every signal as gauges. What is unknown or missing is not exposed, so that it goes stale in
// Prometheus instead of lying; infinite bounds are. A series that appears twice is exposed once, as one duplicate would
// make a scraper refuse all of them.
func gatherResults(signals func() []SignalView) prometheus.GathererFunc {
	return func() ([]*dto.MetricFamily, error) {
		kinds := results()
		families := make([]*dto.MetricFamily, len(kinds))
		for i, k := range kinds {
			families[i] = &dto.MetricFamily{Name: new(k.name), Help: new(k.help), Type: dto.MetricType_GAUGE.Enum()}
		}
		seen := map[string]bool{}
		for _, s := range signals() {
			for _, one := range s.Series {
				ls := resultLabels(s.Name, s.Layer, one.Labels)
				if key := ls.Key(); seen[key] {
					continue
				} else {
					seen[key] = true
				}
				pairs := labelPairs(ls)
				for i, k := range kinds {
					v := float64(k.value(one))
					if math.IsNaN(v) || one.State == StateMissing && (k.name == "baseliner_value" || k.name == "baseliner_score") {
						continue
					}
					families[i].Metric = append(families[i].Metric, &dto.Metric{Label: pairs, Gauge: &dto.Gauge{Value: new(v)}})
				}
			}
		}
		return slices.DeleteFunc(families, func(f *dto.MetricFamily) bool { return len(f.Metric) == 0 }), nil
	}
}

// resultLabels are the labels of a result: signal, layer and the series' own. A label of the series that has one of
// those names becomes exported_<name>, as in a scrape; labels in Prometheus' reserved namespace are dropped, and bytes
// that are no UTF-8 replaced, as no exposition format has a place for them.
func resultLabels(signal, layer string, own map[string]string) series.Labels {
	out := make(map[string]string, len(own)+2)
	for n, v := range own {
		if n != "signal" && n != "layer" && n != "" && !strings.HasPrefix(n, "__") {
			out[valid(n)] = valid(v)
		}
	}
	for _, n := range []string{"signal", "layer"} {
		if own[n] == "" {
			continue
		}
		name := "exported_" + n
		for out[name] != "" {
			name = "exported_" + name
		}
		out[name] = valid(own[n])
	}
	out["signal"], out["layer"] = valid(signal), valid(layer)
	return series.FromMap(out)
}

func valid(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

func labelPairs(ls series.Labels) []*dto.LabelPair {
	out := make([]*dto.LabelPair, 0, len(ls))
	for _, l := range ls {
		out = append(out, &dto.LabelPair{Name: new(l.Name), Value: new(l.Value)})
	}
	return out
}
