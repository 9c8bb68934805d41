package web

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
)

// minTime and maxTime bound a range that the client left open, far enough for any store and short of overflow.
var (
	minTime = time.UnixMilli(math.MinInt64 / 4)
	maxTime = time.UnixMilli(math.MaxInt64 / 4)
)

// timeParam reads unix seconds, possibly with a fraction, or RFC 3339.
func timeParam(r *http.Request, name string, fallback time.Time) (time.Time, error) {
	s := r.FormValue(name)
	if s == "" && !fallback.IsZero() {
		return fallback, nil
	}
	t, err := parseTime(s)
	if err != nil {
		return time.Time{}, badParameter(name, err)
	}
	return t, nil
}

func parseTime(s string) (time.Time, error) {
	if f, err := strconv.ParseFloat(s, 64); err == nil {
		seconds, fraction := math.Modf(f)
		if math.IsNaN(f) || math.Abs(f) > math.MaxInt64/4/1000 {
			return time.Time{}, fmt.Errorf("cannot parse %q to a valid timestamp", s)
		}
		return time.Unix(int64(seconds), int64(math.Round(fraction*1000)*1e6)).UTC(), nil
	}
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return t, nil
	}
	return time.Time{}, fmt.Errorf("cannot parse %q to a valid timestamp", s)
}

// durationParam reads seconds or Prometheus' notation such as 5m; fallback is used when the parameter is absent.
func durationParam(r *http.Request, name string, fallback time.Duration) (time.Duration, error) {
	s := r.FormValue(name)
	if s == "" && fallback != 0 {
		return fallback, nil
	}
	d, err := parseDuration(s)
	if err != nil {
		return 0, badParameter(name, err)
	}
	return d, nil
}

func parseDuration(s string) (time.Duration, error) {
	if f, err := strconv.ParseFloat(s, 64); err == nil {
		ns := f * float64(time.Second)
		if !(math.Abs(ns) < math.MaxInt64) {
			return 0, fmt.Errorf("cannot parse %q to a valid duration. It overflows int64", s)
		}
		return time.Duration(ns), nil
	}
	d, err := model.ParseDuration(s)
	if err != nil {
		return 0, fmt.Errorf("cannot parse %q to a valid duration", s)
	}
	return time.Duration(d), nil
}

// limitParam returns how many results the client wants at most; 0 is all of them.
func limitParam(r *http.Request, name string) (int, error) {
	s := r.FormValue(name)
	if s == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(s)
	if err == nil && n < 0 {
		err = errors.New("limit must be non-negative")
	}
	if err != nil {
		return 0, badParameter(name, err)
	}
	return n, nil
}

// errTruncated is the warning of an answer that the limit cut.
var errTruncated = errors.New("results truncated due to limit")

// matchersParam parses match[]. A selector that matches everything is refused, as it would read the whole store.
func (h *handler) matchersParam(r *http.Request) ([][]*labels.Matcher, error) {
	sets, err := h.parser.ParseMetricSelectors(r.Form["match[]"])
	if err != nil {
		return nil, badParameter("match[]", err)
	}
	if slices.ContainsFunc(sets, matchesEmpty) {
		return nil, badParameter("match[]", errors.New("match[] must contain at least one non-empty matcher"))
	}
	return sets, nil
}

func matchesEmpty(set []*labels.Matcher) bool {
	for _, m := range set {
		if !m.Matches("") {
			return false
		}
	}
	return true
}
