package business

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
)

// maxID is how long the id of an event may be, in bytes.
const maxID = 256

// line is one line of a request.
type line struct {
	event  bool
	labels labels.Labels
	value  float64
	at     time.Time // zero: now
	id     string    // of an event; "" has none
}

var metricName = regexp.MustCompile(`^[a-zA-Z_:][a-zA-Z0-9_:]*$`)

// read decodes a line: {"type": "event"|"value", "name": …, "value": …, "labels": {…}, "time": …, "id": …}.
func read(text []byte) (line, error) {
	var in struct {
		Type   string            `json:"type"`
		Name   string            `json:"name"`
		Value  *float64          `json:"value"`
		Labels map[string]string `json:"labels"`
		Time   instant           `json:"time"`
		ID     string            `json:"id"`
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			if e.Field == "" {
				return line{}, fmt.Errorf("%s where an object is wanted", e.Value)
			}
			return line{}, fmt.Errorf("%s is a %s", e.Field, e.Value)
		}
		return line{}, errors.New(strings.TrimPrefix(err.Error(), "json: "))
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return line{}, errors.New("something follows the object: write one a line")
	}
	l := line{event: in.Type == "event", value: 1, at: time.Time(in.Time), id: in.ID}
	switch {
	case in.Type != "event" && in.Type != "value":
		return l, fmt.Errorf(`type %q is neither "event" nor "value"`, in.Type)
	case !metricName.MatchString(in.Name):
		return l, fmt.Errorf("name %q is no metric name: use letters, digits, colons and _", in.Name)
	case in.Value == nil && !l.event:
		return l, errors.New("value is missing")
	case in.ID != "" && !l.event:
		return l, errors.New("only events have an id; a value that is sent again is the same value")
	case len(in.ID) > maxID:
		return l, fmt.Errorf("id is longer than %d bytes", maxID)
	}
	if in.Value != nil {
		l.value = *in.Value
	}
	if l.event && l.value < 0 {
		return l, fmt.Errorf("value %v is negative: events add up; send what may fall as a value", l.value)
	}
	b := labels.NewScratchBuilder(len(in.Labels) + 1)
	b.Add(model.MetricNameLabel, in.Name)
	for name, value := range in.Labels {
		if !model.LegacyValidation.IsValidLabelName(name) || strings.HasPrefix(name, model.ReservedLabelPrefix) {
			return l, fmt.Errorf("label name %q is not one: use letters, digits and _, not __ at the begin", name)
		}
		if value != "" { // an empty label is none
			b.Add(name, value)
		}
	}
	b.Sort()
	l.labels = b.Labels()
	return l, nil
}

// instant is RFC 3339 or unix seconds.
type instant time.Time

// UnmarshalJSON implements json.Unmarshaler.
func (i *instant) UnmarshalJSON(b []byte) error {
	var seconds float64
	if json.Unmarshal(b, &seconds) == nil {
		if string(b) == "null" {
			return nil
		}
		if math.Abs(seconds) > 1e11 {
			return fmt.Errorf("time %s is not in unix seconds", b)
		}
		*i = instant(time.UnixMilli(int64(math.Round(seconds * 1000))))
		return nil
	}
	var text string
	err := json.Unmarshal(b, &text)
	if err == nil {
		var t time.Time
		t, err = time.Parse(time.RFC3339Nano, text)
		*i = instant(t)
	}
	if err != nil {
		return fmt.Errorf("time %s is neither RFC 3339 nor unix seconds", b)
	}
	return nil
}
