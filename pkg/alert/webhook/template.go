package webhook

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	amwebhook "github.com/prometheus/alertmanager/notify/webhook"
	"github.com/prometheus/alertmanager/template"
)

// Template is the shape of a body for receivers that want another one than Alertmanager's: a tree of mappings, lists and
// values whose strings are Go templates over Alertmanager's data, as its own payload is. Unlike there, what a template
// gives stays a string whatever it looks like: no label value can become a part of the tree, or a template.
type Template struct {
	tree any
	tmpl *template.Template
}

// NewTemplate takes a tree as YAML decodes it. Every template in it is tried.
func NewTemplate(tree any) (*Template, error) {
	tmpl, err := template.New()
	if err != nil {
		return nil, err
	}
	t := &Template{tree, tmpl}
	m, _ := message(sample(), PayloadOptions{SendResolved: true})
	_, err = t.render(m)
	return t, err
}

// render fills the tree in.
func (t *Template) render(m *amwebhook.Message) ([]byte, error) {
	filled, err := t.fill(t.tree, "payload", m)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := json.NewEncoder(&b).Encode(filled); err != nil {
		return nil, fmt.Errorf("encode payload: %w", err)
	}
	return b.Bytes(), nil
}

func (t *Template) fill(v any, path string, m *amwebhook.Message) (any, error) {
	switch v := v.(type) {
	case string:
		if strings.Contains(v, "routeLabels ") {
			return nil, fmt.Errorf("%s: there is no function routeLabels here: use {{ .RouteLabels.NAME }}", path)
		}
		text, err := t.tmpl.ExecuteTextString(v, m)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		return text, nil
	case []any:
		out := make([]any, len(v))
		for i := range v {
			var err error
			if out[i], err = t.fill(v[i], fmt.Sprintf("%s[%d]", path, i), m); err != nil {
				return nil, err
			}
		}
		return out, nil
	case map[string]any:
		out := make(map[string]any, len(v))
		for _, k := range slices.Sorted(maps.Keys(v)) {
			var err error
			if out[k], err = t.fill(v[k], path+"."+k, m); err != nil {
				return nil, err
			}
		}
		return out, nil
	case time.Time:
		return v.Format(time.RFC3339), nil
	}
	return v, nil // numbers, booleans, null
}
