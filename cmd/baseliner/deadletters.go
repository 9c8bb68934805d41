package main

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/baseliner/baseliner/pkg/alert/outbox"
	"github.com/baseliner/baseliner/pkg/web"
)

// letterView is a dead letter as the API and the command show it. Addresses are not part of it: they may be secret.
type letterView struct {
	ID          string          `json:"id"`
	Receiver    string          `json:"receiver"`
	Endpoint    string          `json:"endpoint"`
	GroupKey    string          `json:"groupKey"`
	Status      string          `json:"status"`
	Alerts      int             `json:"alerts"`
	Why         string          `json:"why"`
	LastError   string          `json:"lastError,omitempty"`
	LastStatus  int             `json:"lastStatus,omitempty"`
	Attempts    int             `json:"attempts"`
	Created     time.Time       `json:"created"`
	FirstTry    time.Time       `json:"firstAttempt,omitzero"`
	LastTry     time.Time       `json:"lastAttempt,omitzero"`
	Buried      time.Time       `json:"buried"`
	Superseded  bool            `json:"superseded"`
	ContentType string          `json:"contentType,omitempty"`
	Body        json.RawMessage `json:"body,omitempty"` // of show alone
	Text        string          `json:"text,omitempty"` // the body when it is not JSON
}

func showLetter(l *outbox.DeadLetter, body bool) letterView {
	at := func(ms int64) time.Time {
		if ms == 0 {
			return time.Time{}
		}
		return time.UnixMilli(ms).UTC()
	}
	v := letterView{
		ID: l.ID, Receiver: l.Notification.Receiver, Endpoint: l.Endpoint, GroupKey: l.GroupKey, Status: "resolved",
		Alerts: len(l.Notification.Alerts), Why: l.Why, LastError: l.LastError, LastStatus: l.LastStatus, Attempts: l.Attempts,
		Created: at(l.Created), FirstTry: at(l.FirstTry), LastTry: at(l.LastTry), Buried: at(l.Buried), Superseded: l.Superseded,
	}
	if l.Notification.Firing() {
		v.Status = "firing"
	}
	if body && json.Valid(l.Body) {
		v.Body = l.Body
	} else if body {
		v.Text = string(l.Body)
	}
	return v
}

func showLetters(ls []outbox.DeadLetter) []letterView {
	out := make([]letterView, len(ls))
	for i := range ls {
		out[i] = showLetter(&ls[i], false)
	}
	return out
}

// letterRoutes is /api/baseliner/v1/dead_letters.
func (i *instance) letterRoutes() []web.Route {
	const base = "/api/baseliner/v1/dead_letters"
	d := i.stores.deliverer
	route := func(pattern string, admin bool, f func(*http.Request) (any, error)) web.Route {
		return web.Route{Pattern: pattern, Admin: admin, Handler: web.JSON(i.logger, func(r *http.Request) (any, error) {
			data, err := f(r)
			switch {
			case errors.Is(err, outbox.ErrNoSuchLetter):
				err = web.NotFound(err)
			case errors.Is(err, outbox.ErrSuperseded):
				err = web.Conflict(err)
			}
			return data, err
		})}
	}
	return []web.Route{
		route("GET "+base, false, func(r *http.Request) (any, error) {
			ls, err := d.Letters(r.FormValue("receiver"))
			return showLetters(ls), err
		}),
		route("GET "+base+"/{id}", false, func(r *http.Request) (any, error) {
			l, err := d.Letter(r.PathValue("id"))
			return showLetter(&l, true), err
		}),
		route("DELETE "+base+"/{id}", true, func(r *http.Request) (any, error) {
			return nil, d.DropLetter(r.PathValue("id"))
		}),
		route("POST "+base+"/{id}/replay", true, func(r *http.Request) (any, error) {
			force, err := strconv.ParseBool(r.FormValue("force"))
			if r.FormValue("force") != "" && err != nil {
				return nil, web.BadRequest(errors.New("force is true or false"))
			}
			return nil, d.ReplayLetter(r.PathValue("id"), force)
		}),
	}
}
