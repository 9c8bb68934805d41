package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Bounds on one annotation.
const (
	maxAnnotationBytes = 64 << 10
	maxAnnotationText  = 4096
	maxAnnotationTags  = 32 // and labels
	maxAnnotationWord  = 256
	maxAnnotationSpan  = 366 * 24 * time.Hour
)

var (
	annotationTypes = []string{"deploy", "event", "incident", "ignore"}
	annotationID    = regexp.MustCompile(`^[A-Za-z0-9._:-]{1,128}$`)
	annotationLabel = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)
	earliest        = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
)

// when is a time in JSON: unix seconds, or a string with them or RFC 3339.
type when struct {
	time.Time
	set bool
}

func (w *when) UnmarshalJSON(b []byte) (err error) {
	text := strings.Trim(string(b), `"`)
	if text == "null" || text == "" {
		return nil
	}
	w.set = true
	if w.Time, err = parseTime(text); err != nil {
		return fmt.Errorf("%s is neither unix seconds nor a time such as 2026-11-27T09:00:00+01:00", b)
	}
	return nil
}

// posted is an annotation as a client sends it.
type posted struct {
	ID     string            `json:"id"`
	Type   string            `json:"type"`
	Time   when              `json:"time"`
	Start  when              `json:"start"`
	End    when              `json:"end"`
	Text   string            `json:"text"`
	Tags   []string          `json:"tags"`
	Labels map[string]string `json:"labels"`
}

// parseAnnotation reads and checks what a client sends. now bounds what can be meant.
func parseAnnotation(body []byte, now time.Time) (AnnotationView, error) {
	var p posted
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		if errors.Is(err, io.EOF) {
			err = errors.New("the body is empty")
		}
		return AnnotationView{}, fmt.Errorf(`annotation is not JSON such as {"type": "deploy", "time": %d, "text": "v2.3"}: %w`, now.Unix(), err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return AnnotationView{}, errors.New("more than one annotation in a body: send each by itself")
	}
	a := AnnotationView{ID: p.ID, Type: p.Type, Text: strings.TrimSpace(p.Text), Tags: p.Tags, Labels: p.Labels}
	if err := p.words(); err != nil {
		return a, err
	}
	if err := p.span(&a); err != nil {
		return a, err
	}
	for name, t := range map[string]time.Time{"start": a.Start, "end": a.End} {
		if t.IsZero() {
			continue
		}
		if t.Before(earliest) || t.After(now.Add(maxAnnotationSpan)) {
			hint := ""
			if t.Unix() > 1e11 {
				hint = ": unix time is in seconds here, not in milliseconds"
			}
			return a, fmt.Errorf("%s %s is before 2000 or more than a year ahead%s", name, t.UTC().Format(time.RFC3339), hint)
		}
	}
	if a.End.Sub(a.Start) > maxAnnotationSpan {
		return a, errors.New("it lasts longer than a year")
	}
	slices.Sort(a.Tags)
	a.Tags = slices.Compact(a.Tags)
	a.Start, a.End = a.Start.UTC().Truncate(time.Millisecond), a.End.UTC().Truncate(time.Millisecond)
	return a, nil
}

// words checks everything but the times.
func (p *posted) words() error {
	switch {
	case p.Type == "":
		return fmt.Errorf("type is missing: one of %s", strings.Join(annotationTypes, ", "))
	case !slices.Contains(annotationTypes, p.Type):
		return fmt.Errorf("type %q is not one of %s", p.Type, strings.Join(annotationTypes, ", "))
	case p.ID != "" && !annotationID.MatchString(p.ID):
		return fmt.Errorf("id %q is not made of 1 to 128 letters, digits and . _ : -", p.ID)
	case len(p.Text) > maxAnnotationText:
		return fmt.Errorf("text is longer than %d bytes", maxAnnotationText)
	case len(p.Tags) > maxAnnotationTags:
		return fmt.Errorf("has %d tags, at most %d are kept", len(p.Tags), maxAnnotationTags)
	case len(p.Labels) > maxAnnotationTags:
		return fmt.Errorf("has %d labels, at most %d are kept", len(p.Labels), maxAnnotationTags)
	}
	for _, tag := range p.Tags {
		if tag == "" || len(tag) > maxAnnotationWord || strings.Contains(tag, ",") {
			return fmt.Errorf("tag %q is empty, longer than %d bytes, or holds a comma", tag, maxAnnotationWord)
		}
	}
	for name, value := range p.Labels {
		if !annotationLabel.MatchString(name) || value == "" || len(name) > maxAnnotationWord || len(value) > maxAnnotationWord {
			return fmt.Errorf("label %q=%q: names are letters, digits and _, values are not empty, both at most %d bytes", name, value, maxAnnotationWord)
		}
	}
	return nil
}

// span sets start and end from time, or from start and end.
func (p *posted) span(a *AnnotationView) error {
	instant := p.Type == "deploy" || p.Type == "event"
	switch {
	case p.Time.set && (p.Start.set || p.End.set):
		return errors.New("has time beside start or end: time is an instant, start and end a window")
	case p.Time.set && !instant:
		return fmt.Errorf("%s is a window: give start, and end, instead of time", p.Type)
	case p.Time.set:
		a.Start, a.End = p.Time.Time, p.Time.Time
		return nil
	case !p.Start.set:
		return errors.New("time is missing: give time, or start and end")
	case p.End.set && !p.End.After(p.Start.Time):
		return errors.New("end is not after start")
	case p.Type == "ignore" && !p.End.set:
		return errors.New("end is missing: what is to be ignored ends some time; send it again with the same id to move that")
	}
	a.Start, a.End = p.Start.Time, p.End.Time
	if instant && !p.End.set {
		a.End = a.Start
	}
	return nil
}
