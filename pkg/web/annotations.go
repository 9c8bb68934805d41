package web

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"
)

// Annotations keeps what people and pipelines tell about the world. It is safe for concurrent use.
type Annotations interface {
	// List returns all of them by their start; what it returns is read-only.
	List() []AnnotationView
	// Put keeps one in place of that with the same id.
	Put(AnnotationView) (created bool, err error)
	Delete(id string) (found bool, err error)
}

// AnnotationAccess says who may change annotations: nobody, those who bear the token, or anybody when it is empty.
type AnnotationAccess func() (enabled bool, token string, err error)

// AnnotationView is a deploy, an event, or a window to learn nothing from.
type AnnotationView struct {
	ID     string            `json:"id"`
	Type   string            `json:"type"`
	Start  time.Time         `json:"start"`
	End    time.Time         `json:"end,omitzero"` // exclusive; the start for an instant, zero while it lasts
	Text   string            `json:"text,omitempty"`
	Tags   []string          `json:"tags,omitempty"`
	Labels map[string]string `json:"labels,omitempty"` // of the series it is about, signal and layer among them
}

// lasts says until when an annotation is to be shown.
func (a *AnnotationView) lasts(now time.Time) time.Time {
	if a.End.IsZero() {
		return now
	}
	return a.End
}

func (h *handler) annotationRoutes(base string) {
	if h.Annotations == nil {
		return
	}
	h.route("GET "+base+"annotations", h.api(h.listAnnotations))
	h.route("GET "+base+"annotations/{id}", h.api(h.oneAnnotation))
	h.route("POST "+base+"annotations", h.annotationWrite(h.putAnnotation))
	h.route("DELETE "+base+"annotations/{id}", h.annotationWrite(h.deleteAnnotation))
}

// annotationWrite lets those in who may change annotations. The body is left to f: a client that forgets to say that
// it sends JSON still does.
func (h *handler) annotationWrite(f func(*http.Request) (answer, int, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := h.mayAnnotate(r); err != nil {
			if ae, ok := errors.AsType[*apiError](err); ok && ae.status == http.StatusUnauthorized {
				w.Header().Set("WWW-Authenticate", "Bearer")
			}
			h.fail(w, r, err)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxAnnotationBytes)
		a, code, err := f(r)
		if err != nil {
			h.fail(w, r, err)
			return
		}
		data, err := marshal(a.data)
		if err != nil {
			h.fail(w, r, err)
			return
		}
		h.send(w, r, code, envelope{Status: "success", Data: data})
	})
}

func (h *handler) mayAnnotate(r *http.Request) error {
	enabled, token, err := false, "", error(nil)
	if h.AnnotationAccess != nil {
		enabled, token, err = h.AnnotationAccess()
	}
	switch {
	case err != nil:
		h.Logger.Error("annotation refused: its token cannot be read", "err", err)
		return &apiError{typ: errInternal, err: errors.New("the token of annotations cannot be read; the log says why")}
	case !enabled:
		return &apiError{
			typ: errUnavailable, status: http.StatusForbidden, err: errors.New("annotations are read-only: set ingest.annotations.enabled in the configuration"),
		}
	case token == "":
		return nil
	}
	given, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	a, b := sha256.Sum256([]byte(strings.TrimSpace(given))), sha256.Sum256([]byte(token))
	if !ok || subtle.ConstantTimeCompare(a[:], b[:]) == 0 {
		return &apiError{
			typ: errUnauthorized, status: http.StatusUnauthorized, err: errors.New("annotations need the header Authorization: Bearer TOKEN with the token of ingest.annotations.token_file"),
		}
	}
	return nil
}

// listAnnotations is GET annotations?from=&to=&type=&tags=&signal=&match=&limit=: those that overlap [from, to], are of
// one of the types, bear all the tags, and are about the series.
func (h *handler) listAnnotations(r *http.Request) (answer, error) {
	from, err := timeParam(r, "from", minTime)
	if err != nil {
		return answer{}, err
	}
	to, err := timeParam(r, "to", maxTime)
	if err != nil {
		return answer{}, err
	}
	limit, err := limitParam(r, "limit")
	if err != nil {
		return answer{}, err
	}
	types, tags := listParam(r, "type"), listParam(r, "tags")
	for _, t := range types {
		if !slices.Contains(annotationTypes, t) {
			return answer{}, badParameter("type", fmt.Errorf("%q is not one of %s", t, strings.Join(annotationTypes, ", ")))
		}
	}
	about, err := h.aboutParam(r)
	if err != nil {
		return answer{}, err
	}
	out := []AnnotationView{}
	for _, a := range h.Annotations.List() {
		missing := func(tag string) bool { return !slices.Contains(a.Tags, tag) }
		if a.Start.After(to) || a.lasts(h.Now()).Before(from) || len(types) > 0 && !slices.Contains(types, a.Type) ||
			slices.ContainsFunc(tags, missing) || !about(&a) {
			continue
		}
		out = append(out, a)
	}
	res := answer{}
	if limit > 0 && len(out) > limit {
		out = out[len(out)-limit:] // the newest
		res.warnings.Add(errTruncated)
	}
	res.data = out
	return res, nil
}

// listParam reads a parameter that may be repeated, or hold several values separated by commas.
func listParam(r *http.Request, name string) (all []string) {
	for _, v := range r.Form[name] {
		for one := range strings.SplitSeq(v, ",") {
			if one = strings.TrimSpace(one); one != "" {
				all = append(all, one)
			}
		}
	}
	return all
}

// aboutParam reads signal and match, which name a series: annotations with other labels are not about it.
func (h *handler) aboutParam(r *http.Request) (func(*AnnotationView) bool, error) {
	name, match := r.FormValue("signal"), r.FormValue("match")
	if name == "" && match == "" {
		return func(*AnnotationView) bool { return true }, nil
	}
	own, layer := map[string]string{}, ""
	if name != "" {
		signals := h.Views.Signals()
		i := slices.IndexFunc(signals, func(s SignalView) bool { return s.Name == name })
		if i < 0 {
			return nil, unknownSignal(name)
		}
		maps.Copy(own, signals[i].Labels)
		layer = signals[i].Layer
	}
	if match != "" && match != "{}" {
		ms, err := h.parser.ParseMetricSelector(match)
		if err != nil {
			return nil, badParameter("match", err)
		}
		for _, m := range ms {
			if m.Type != labels.MatchEqual {
				return nil, badParameter("match", fmt.Errorf("%s: name one series, with = alone", m))
			}
			own[m.Name] = m.Value
		}
	}
	if name != "" {
		own["signal"], own["layer"] = name, layer
	}
	return func(a *AnnotationView) bool {
		for k, v := range a.Labels {
			if own[k] != v {
				return false
			}
		}
		return true
	}, nil
}

func (h *handler) oneAnnotation(r *http.Request) (answer, error) {
	id := r.PathValue("id")
	for _, a := range h.Annotations.List() {
		if a.ID == id {
			return answer{data: a}, nil
		}
	}
	return answer{}, noAnnotation(id)
}

func noAnnotation(id string) error {
	return &apiError{typ: errNotFound, err: fmt.Errorf("no such annotation: %s", id)}
}

// putAnnotation is POST annotations: 201 with the annotation, 200 when it took the place of one with the same id.
func (h *handler) putAnnotation(r *http.Request) (answer, int, error) {
	body, err := io.ReadAll(r.Body)
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return answer{}, 0, &apiError{typ: errBadData, status: http.StatusRequestEntityTooLarge, err: fmt.Errorf("annotation is larger than %d KiB", maxAnnotationBytes>>10)}
	}
	if err != nil {
		return answer{}, 0, &apiError{typ: errBadData, err: fmt.Errorf("read annotation: %w", err)}
	}
	a, err := parseAnnotation(body, h.Now())
	if err != nil {
		return answer{}, 0, &apiError{typ: errBadData, err: err}
	}
	if a.ID == "" {
		a.ID = strings.ToLower(rand.Text())
	}
	created, err := h.Annotations.Put(a)
	if err != nil {
		return answer{}, 0, err
	}
	code := http.StatusOK
	if created {
		code = http.StatusCreated
	}
	return answer{data: a}, code, nil
}

// deleteAnnotation is DELETE annotations/{id}.
func (h *handler) deleteAnnotation(r *http.Request) (answer, int, error) {
	id := r.PathValue("id")
	found, err := h.Annotations.Delete(id)
	if err == nil && !found {
		err = noAnnotation(id)
	}
	return answer{data: json.RawMessage(`{"deleted":true}`)}, http.StatusOK, err
}
