package web

import (
	"maps"
	"net/http"
	"slices"
	"strings"
)

// targets is GET /api/v1/targets, with Prometheus' filters state and scrapePool.
func (h *handler) targets(r *http.Request) (answer, error) {
	view := h.Views.Targets()
	state, pool := strings.ToLower(r.FormValue("state")), r.FormValue("scrapePool")
	other := func(p string) bool { return pool != "" && p != pool }
	out := TargetsView{Active: []TargetView{}, Dropped: []DroppedTargetView{}}
	if state != "dropped" {
		for _, t := range view.Active {
			if !other(t.ScrapePool) {
				out.Active = append(out.Active, t)
			}
		}
	}
	if state != "active" {
		out.DroppedCounts = view.DroppedCounts
		for _, t := range view.Dropped {
			if !other(t.ScrapePool) {
				out.Dropped = append(out.Dropped, t)
			}
		}
	}
	return answer{data: out}, nil
}

// metadata is GET /api/v1/metadata.
func (h *handler) metadata(r *http.Request) (answer, error) {
	limit, err := limitParam(r, "limit")
	if err != nil {
		return answer{}, err
	}
	perMetric, err := limitParam(r, "limit_per_metric")
	if err != nil {
		return answer{}, err
	}
	all, only := h.Views.Metadata(), r.FormValue("metric")
	out := map[string][]MetadataView{}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if only != "" && name != only {
			continue
		}
		if r.FormValue("limit") != "" && len(out) >= limit {
			break
		}
		list := all[name]
		if perMetric > 0 && len(list) > perMetric {
			list = list[:perMetric]
		}
		out[name] = list
	}
	return answer{data: out}, nil
}
