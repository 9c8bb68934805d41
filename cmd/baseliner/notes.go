package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/baseliner/baseliner/pkg/pipeline"
	"github.com/baseliner/baseliner/pkg/state"
	"github.com/baseliner/baseliner/pkg/web"
)

// notes translates between annotations as they are kept and as they are shown.
type notes struct{ kept *pipeline.Annotations }

func (n notes) List() []web.AnnotationView {
	list := n.kept.List()
	out := make([]web.AnnotationView, len(list))
	for k, a := range list {
		out[k] = web.AnnotationView{
			ID: a.ID, Type: a.Type, Start: time.UnixMilli(a.Start).UTC(), Text: a.Text, Tags: a.Tags, Labels: a.Labels,
		}
		if a.End != 0 {
			out[k].End = time.UnixMilli(a.End).UTC()
		}
	}
	return out
}

func (n notes) Put(v web.AnnotationView) (created bool, err error) {
	a := state.Annotation{ID: v.ID, Type: v.Type, Start: v.Start.UnixMilli(), Text: v.Text, Tags: v.Tags, Labels: v.Labels}
	if !v.End.IsZero() {
		a.End = v.End.UnixMilli()
	}
	return n.kept.Put(a)
}

func (n notes) Delete(id string) (found bool, err error) { return n.kept.Delete(id) }

// mayAnnotate says who may change annotations now: configuration and token may change at any time.
func (i *instance) mayAnnotate() (enabled bool, token string, err error) {
	a := i.cfg.Load().Annotations
	if !a.Enabled || a.TokenFile == "" {
		return a.Enabled, "", nil
	}
	b, err := os.ReadFile(a.TokenFile)
	if err != nil {
		return false, "", fmt.Errorf("read token: %w", err)
	}
	if token = strings.TrimSpace(string(b)); token == "" {
		return false, "", errors.New("read token: " + a.TokenFile + " is empty")
	}
	return true, token, nil
}

var _ web.Annotations = notes{}
