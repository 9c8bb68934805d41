package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"go.etcd.io/bbolt"

	"github.com/baseliner/baseliner/pkg/alert/outbox"
	"github.com/baseliner/baseliner/pkg/state"
)

type dlqOptions struct {
	where
	action, receiver, id, format string
	force                        bool
}

func dlqFlags(c *kingpin.CmdClause) *dlqOptions {
	o := &dlqOptions{}
	c.Arg("action", "list, show, replay or drop.").Required().EnumVar(&o.action, "list", "show", "replay", "drop")
	o.flags(c)
	c.Flag("receiver", "Dead letters of one receiver.").StringVar(&o.receiver)
	c.Flag("id", "One dead letter; replay and drop without it take all of --receiver.").StringVar(&o.id)
	c.Flag("force", "Replay what is outdated: the state of the group as it is now is sent in its place.").BoolVar(&o.force)
	c.Flag("format", "table or json.").Default("table").EnumVar(&o.format, "table", "json")
	return o
}

// letters is where dead letters are: a running instance or the directory of a stopped one.
type letters interface {
	list(receiver string) ([]letterView, error)
	show(id string) (letterView, error)
	replay(id string, force bool) error
	drop(id string) error
}

func dlq(ctx context.Context, o *dlqOptions, stdout io.Writer) error {
	return o.withLedger(
		func(l *state.Ledger) error { return o.do(storedLetters{l}, stdout) },
		func() error { return o.do(remoteLetters{ctx, &o.where}, stdout) },
	)
}

func (o *dlqOptions) do(from letters, stdout io.Writer) error {
	switch o.action {
	case "list":
		return listLetters(from, o, stdout)
	case "show":
		if o.id == "" {
			return errors.New("dlq show: name the dead letter with --id; baseliner dlq list shows them")
		}
		l, err := from.show(o.id)
		if err != nil {
			return err
		}
		return printJSON(stdout, l)
	}
	return changeLetters(from, o, stdout)
}

func listLetters(from letters, o *dlqOptions, stdout io.Writer) error {
	ls, err := from.list(o.receiver)
	if err != nil {
		return err
	}
	if o.format == "json" {
		return printJSON(stdout, ls)
	}
	w := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tENDPOINT\tBURIED\tSTATUS\tALERTS\tATTEMPTS\tGROUP\tWHY")
	for _, l := range ls {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%d\t%s\t%s\n", l.ID, l.Endpoint, l.Buried.Format(time.RFC3339), l.Status, l.Alerts, l.Attempts, l.GroupKey, l.Why)
	}
	return w.Flush()
}

// changeLetters replays or drops one or all of a receiver. What fails does not keep it from the others.
func changeLetters(from letters, o *dlqOptions, stdout io.Writer) error {
	ids := []string{o.id}
	if o.id == "" {
		if o.receiver == "" {
			return fmt.Errorf("dlq %s: say which with --id or --receiver", o.action)
		}
		ls, err := from.list(o.receiver)
		if err != nil {
			return err
		}
		ids = nil
		for _, l := range ls {
			ids = append(ids, l.ID)
		}
	}
	var errs []error
	done := 0
	for _, id := range ids {
		var err error
		if o.action == "drop" {
			err = from.drop(id)
		} else {
			err = from.replay(id, o.force)
		}
		switch {
		case err == nil:
			done++
		case o.action == "replay" && !o.force:
			errs = append(errs, fmt.Errorf("%s: %w (what is outdated is sent as it is now with --force)", id, err))
		default:
			errs = append(errs, fmt.Errorf("%s: %w", id, err))
		}
	}
	fmt.Fprintf(stdout, "%s: %d of %d dead letters\n", o.action, done, len(ids))
	return errors.Join(errs...)
}

func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

type remoteLetters struct {
	ctx context.Context
	*where
}

func (r remoteLetters) list(receiver string) (ls []letterView, err error) {
	p := url.Values{}
	if receiver != "" {
		p.Set("receiver", receiver)
	}
	return ls, r.call(r.ctx, http.MethodGet, "dead_letters", p, nil, &ls)
}

func (r remoteLetters) show(id string) (l letterView, err error) {
	return l, r.call(r.ctx, http.MethodGet, "dead_letters/"+url.PathEscape(id), nil, nil, &l)
}

func (r remoteLetters) replay(id string, force bool) error {
	return r.call(r.ctx, http.MethodPost, "dead_letters/"+url.PathEscape(id)+"/replay", url.Values{"force": {strconv.FormatBool(force)}}, nil, nil)
}

func (r remoteLetters) drop(id string) error {
	return r.call(r.ctx, http.MethodDelete, "dead_letters/"+url.PathEscape(id), nil, nil, nil)
}

// storedLetters works on the ledger of a stopped instance; what is replayed leaves at its next start.
type storedLetters struct{ ledger *state.Ledger }

func unreadable(string, []byte, error) {} // the instance reports damage when it starts

func (s storedLetters) list(receiver string) (out []letterView, err error) {
	err = s.ledger.View(func(tx *bbolt.Tx) error {
		ls, err := outbox.DeadLetters(tx, unreadable)
		for i := range ls {
			if receiver == "" || ls[i].Notification.Receiver == receiver {
				out = append(out, showLetter(&ls[i], false))
			}
		}
		return err
	})
	return out, err
}

func (s storedLetters) show(id string) (v letterView, err error) {
	err = s.ledger.View(func(tx *bbolt.Tx) error {
		l, err := outbox.Letter(tx, id, unreadable)
		v = showLetter(&l, true)
		return err
	})
	return v, err
}

func (s storedLetters) replay(id string, force bool) error {
	if force {
		return errors.New("the state of now is known to a running instance alone: start it and use --url")
	}
	return s.ledger.Update(func(tx *bbolt.Tx) error {
		_, err := outbox.Replay(tx, id, time.Now().UnixMilli(), unreadable)
		return err
	})
}

func (s storedLetters) drop(id string) error {
	return s.ledger.Update(func(tx *bbolt.Tx) error {
		_, err := outbox.Drop(tx, id, unreadable)
		return err
	})
}
