package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os/user"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/common/model"
	"go.etcd.io/bbolt"

	"github.com/baseliner/baseliner/pkg/alert"
	"github.com/baseliner/baseliner/pkg/alert/outbox"
	"github.com/baseliner/baseliner/pkg/state"
)

type silenceOptions struct {
	where
	action, format       string
	args                 []string
	start, end, duration string
	author, comment      string
	expired              bool
}

func silenceFlags(c *kingpin.CmdClause) *silenceOptions {
	o := &silenceOptions{}
	c.Arg("action", "add, list or expire.").Required().EnumVar(&o.action, "add", "list", "expire")
	c.Arg("argument", `Matchers to add such as signal="checkout" or pod=~"web-.*", all of which have to match; ids to expire.`).StringsVar(&o.args)
	o.flags(c)
	c.Flag("start", "Begin (RFC 3339), now by default.").StringVar(&o.start)
	c.Flag("end", "End (RFC 3339).").StringVar(&o.end)
	c.Flag("duration", "Length, instead of --end.").Default("1h").StringVar(&o.duration)
	c.Flag("author", "Who silences; the user of this shell by default.").StringVar(&o.author)
	c.Flag("comment", "Why.").StringVar(&o.comment)
	c.Flag("expired", "List those that have ended lately as well.").BoolVar(&o.expired)
	c.Flag("format", "table or json.").Default("table").EnumVar(&o.format, "table", "json")
	return o
}

// silences is where silences are: a running instance or the directory of a stopped one.
type silences interface {
	list() ([]silenceView, error)
	add(v silenceView) (id string, err error)
	expire(id string) error
}

func silence(ctx context.Context, o *silenceOptions, stdout io.Writer) error {
	return o.withLedger(
		func(l *state.Ledger) error { return o.do(storedSilences{l}, stdout) },
		func() error { return o.do(remoteSilences{ctx, &o.where}, stdout) },
	)
}

func (o *silenceOptions) do(at silences, stdout io.Writer) error {
	switch o.action {
	case "add":
		v, err := o.view(time.Now())
		if err != nil {
			return err
		}
		id, err := at.add(v)
		if err == nil {
			fmt.Fprintln(stdout, id)
		}
		return err
	case "expire":
		if len(o.args) == 0 {
			return errors.New("silence expire: name the silences; baseliner silence list shows their ids")
		}
		var errs []error
		for _, id := range o.args {
			errs = append(errs, at.expire(id))
		}
		return errors.Join(errs...)
	}
	return listSilences(at, o, stdout)
}

// view is the silence that the flags ask for.
func (o *silenceOptions) view(now time.Time) (v silenceView, err error) {
	v = silenceView{Matchers: o.args, StartsAt: now.UTC(), CreatedBy: o.author, Comment: o.comment}
	if v.CreatedBy == "" {
		if u, err := user.Current(); err == nil {
			v.CreatedBy = u.Username
		}
	}
	if o.start != "" {
		if v.StartsAt, err = time.Parse(time.RFC3339, o.start); err != nil {
			return v, fmt.Errorf("--start: %w", err)
		}
	}
	if o.end != "" {
		if v.EndsAt, err = time.Parse(time.RFC3339, o.end); err != nil {
			return v, fmt.Errorf("--end: %w", err)
		}
		return v, nil
	}
	d, err := model.ParseDuration(o.duration)
	if err != nil {
		return v, fmt.Errorf("--duration: %w", err)
	}
	v.EndsAt = v.StartsAt.Add(time.Duration(d))
	return v, nil
}

func listSilences(at silences, o *silenceOptions, stdout io.Writer) error {
	all, err := at.list()
	if err != nil {
		return err
	}
	shown := []silenceView{}
	for _, v := range all {
		if v.State != "expired" || o.expired {
			shown = append(shown, v)
		}
	}
	if o.format == "json" {
		return printJSON(stdout, shown)
	}
	w := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tMATCHERS\tSTARTS\tENDS\tSTATE\tBY\tCOMMENT")
	for _, v := range shown {
		by := v.CreatedBy
		if v.Source != "" {
			by += " (" + v.Source + ")"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", v.ID, strings.Join(v.Matchers, " "), v.StartsAt.Format(time.RFC3339), v.EndsAt.Format(time.RFC3339), v.State, by, v.Comment)
	}
	return w.Flush()
}

type remoteSilences struct {
	ctx context.Context
	*where
}

func (r remoteSilences) list() (out []silenceView, err error) {
	return out, r.call(r.ctx, http.MethodGet, "silences", nil, nil, &out)
}

func (r remoteSilences) add(v silenceView) (string, error) {
	var out struct{ ID string }
	err := r.call(r.ctx, http.MethodPost, "silences", nil, v, &out)
	return out.ID, err
}

func (r remoteSilences) expire(id string) error {
	return r.call(r.ctx, http.MethodDelete, "silences/"+url.PathEscape(id), nil, nil, nil)
}

type storedSilences struct{ ledger *state.Ledger }

func (s storedSilences) list() (out []silenceView, err error) {
	err = s.ledger.View(func(tx *bbolt.Tx) error {
		ss, err := outbox.Silences(tx, unreadable)
		out = showSilences(ss, time.Now())
		return err
	})
	return out, err
}

func (s storedSilences) add(v silenceView) (string, error) {
	now := time.Now()
	silence, err := v.silence(now)
	if err != nil {
		return "", err
	}
	silence.ID = alert.NewSilenceID()
	return silence.ID, s.ledger.Update(func(tx *bbolt.Tx) error { return outbox.PutSilence(tx, &silence, now.UnixMilli(), unreadable) })
}

func (s storedSilences) expire(id string) error {
	return s.ledger.Update(func(tx *bbolt.Tx) error { return outbox.ExpireSilence(tx, id, time.Now().UnixMilli()) })
}
