package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/baseliner/baseliner/pkg/alert"
	"github.com/baseliner/baseliner/pkg/alert/outbox"
	"github.com/baseliner/baseliner/pkg/web"
)

// silenceView is a silence as the API and the command show it.
type silenceView struct {
	ID        string    `json:"id,omitempty"`
	Matchers  []string  `json:"matchers"`
	StartsAt  time.Time `json:"startsAt"`
	EndsAt    time.Time `json:"endsAt"`
	CreatedBy string    `json:"createdBy"`
	Comment   string    `json:"comment"`
	State     string    `json:"state,omitempty"`  // active, pending or expired
	Source    string    `json:"source,omitempty"` // Alertmanager, or "" for here
}

func showSilences(ss []alert.Silence, now time.Time) []silenceView {
	out := make([]silenceView, len(ss))
	for i, s := range ss {
		out[i] = silenceView{
			ID: s.ID, Matchers: s.Matchers, CreatedBy: s.CreatedBy, Comment: s.Comment, Source: s.Source, State: "active",
			StartsAt: time.UnixMilli(s.StartsAt).UTC(), EndsAt: time.UnixMilli(s.EndsAt).UTC(),
		}
		switch {
		case !now.Before(out[i].EndsAt):
			out[i].State = "expired"
		case now.Before(out[i].StartsAt):
			out[i].State = "pending"
		}
	}
	return out
}

// silence turns what somebody asks for into a silence; without a begin it begins now.
func (v *silenceView) silence(now time.Time) (alert.Silence, error) {
	if v.StartsAt.IsZero() {
		v.StartsAt = now
	}
	s := alert.Silence{Matchers: v.Matchers, StartsAt: v.StartsAt.UnixMilli(), EndsAt: v.EndsAt.UnixMilli(), CreatedBy: v.CreatedBy, Comment: v.Comment}
	if !v.EndsAt.After(now) {
		return s, errors.New("endsAt: a silence has to end, and not in the past")
	}
	return s, s.Compile()
}

// silenceRoutes is /api/baseliner/v1/silences.
func (i *instance) silenceRoutes() []web.Route {
	const base, most = "/api/baseliner/v1/silences", 1 << 20
	a := i.stores.announcer
	return []web.Route{
		{Pattern: "GET " + base, Handler: web.JSON(i.logger, func(*http.Request) (any, error) {
			ss, err := a.Silences()
			return showSilences(ss, time.Now()), err
		})},
		{Pattern: "POST " + base, Admin: true, Handler: web.JSON(i.logger, func(r *http.Request) (any, error) {
			var v silenceView
			d := json.NewDecoder(io.LimitReader(r.Body, most))
			d.DisallowUnknownFields()
			if err := d.Decode(&v); err != nil {
				return nil, web.BadRequest(fmt.Errorf("silence: %w", err))
			}
			now := time.Now()
			s, err := v.silence(now)
			if err != nil {
				return nil, web.BadRequest(err)
			}
			id, err := a.AddSilence(s, now.UnixMilli())
			return map[string]string{"id": id}, err
		})},
		{Pattern: "DELETE " + base + "/{id}", Admin: true, Handler: web.JSON(i.logger, func(r *http.Request) (any, error) {
			err := a.ExpireSilence(r.PathValue("id"), time.Now().UnixMilli())
			if errors.Is(err, outbox.ErrNoSuchSilence) {
				err = web.NotFound(err)
			}
			return nil, err
		})},
	}
}
