package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/util/annotations"
)

// search is what series, labels and label values have in common.
type search struct {
	querier  storage.Querier
	from, to int64
	sets     [][]*labels.Matcher
	limit    int
}

// search opens the storage for the time and the selectors of the request. The caller closes the querier.
func (h *handler) search(r *http.Request) (*search, error) {
	limit, err := limitParam(r, "limit")
	if err != nil {
		return nil, err
	}
	start, err := timeParam(r, "start", minTime)
	if err != nil {
		return nil, err
	}
	end, err := timeParam(r, "end", maxTime)
	if err != nil {
		return nil, err
	}
	sets, err := h.matchersParam(r)
	if err != nil {
		return nil, err
	}
	s := &search{from: start.UnixMilli(), to: end.UnixMilli(), sets: sets, limit: limit}
	if s.querier, err = h.Storage.Querier(s.from, s.to); err != nil {
		return nil, queryError(err)
	}
	return s, nil
}

// hint is one more than the limit, so that a cut shows.
func (s *search) hint() int {
	if s.limit == 0 || s.limit == math.MaxInt {
		return s.limit
	}
	return s.limit + 1
}

// lookup is how a querier finds names or values.
type lookup func(ctx context.Context, hints *storage.LabelHints, ms ...*labels.Matcher) ([]string, annotations.Annotations, error)

// union collects what the selectors find, sorted, each once; without selectors it asks for everything.
func (s *search) union(ctx context.Context, find lookup) (answer, error) {
	sets := s.sets
	if len(sets) == 0 {
		sets = [][]*labels.Matcher{nil}
	}
	found := []string{}
	var warnings annotations.Annotations
	for _, set := range sets {
		part, w, err := find(ctx, &storage.LabelHints{Limit: s.hint()}, set...)
		warnings.Merge(w)
		if err != nil {
			return answer{}, queryError(err)
		}
		found = append(found, part...)
	}
	slices.Sort(found)
	found = slices.Compact(found)
	if s.limit > 0 && len(found) > s.limit {
		found = found[:s.limit]
		warnings.Add(errTruncated)
	}
	return answer{data: found, warnings: warnings}, nil
}

// labelNames is GET and POST /api/v1/labels.
func (h *handler) labelNames(r *http.Request) (answer, error) {
	s, err := h.search(r)
	if err != nil {
		return answer{}, err
	}
	defer s.querier.Close()
	return s.union(r.Context(), s.querier.LabelNames)
}

// labelValues is GET /api/v1/label/{name}/values.
func (h *handler) labelValues(r *http.Request) (answer, error) {
	name := r.PathValue("name")
	if strings.HasPrefix(name, "U__") {
		name = model.UnescapeName(name, model.ValueEncodingEscaping)
	}
	if !model.UTF8Validation.IsValidLabelName(name) {
		return answer{}, &apiError{typ: errBadData, err: fmt.Errorf("invalid label name: %q", name)}
	}
	s, err := h.search(r)
	if err != nil {
		return answer{}, err
	}
	defer s.querier.Close()
	return s.union(r.Context(), func(ctx context.Context, hints *storage.LabelHints, ms ...*labels.Matcher) ([]string, annotations.Annotations, error) {
		return s.querier.LabelValues(ctx, name, hints, ms...)
	})
}

// series is GET and POST /api/v1/series.
func (h *handler) series(r *http.Request) (answer, error) {
	if len(r.Form["match[]"]) == 0 {
		return answer{}, &apiError{typ: errBadData, err: errors.New("no match[] parameter provided")}
	}
	s, err := h.search(r)
	if err != nil {
		return answer{}, err
	}
	defer s.querier.Close()
	// "series" is the storage's word for a lookup that reads no samples.
	hints := &storage.SelectHints{Start: s.from, End: s.to, Func: "series", Limit: s.hint()}
	found := make([]storage.SeriesSet, 0, len(s.sets))
	for _, set := range s.sets {
		found = append(found, s.querier.Select(r.Context(), true, hints, set...))
	}
	set := storage.NewMergeSeriesSet(found, 0, storage.ChainedSeriesMerge)
	e := &encoder{buf: []byte("[")}
	var truncated bool
	for n := 0; set.Next(); n++ {
		if err := r.Context().Err(); err != nil {
			return answer{}, &apiError{typ: errCanceled, err: err}
		}
		if truncated = s.limit > 0 && n == s.limit; truncated {
			break
		}
		if n > 0 {
			e.buf = append(e.buf, ',')
		}
		e.labels(set.At().Labels())
	}
	if err := set.Err(); err != nil {
		return answer{}, queryError(err)
	}
	e.buf = append(e.buf, ']')
	warnings := set.Warnings()
	if truncated {
		warnings.Add(errTruncated)
	}
	return answer{data: json.RawMessage(e.buf), warnings: warnings}, e.err
}
