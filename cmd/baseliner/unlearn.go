package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"text/tabwriter"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/baseliner/baseliner/pkg/pipeline"
	"github.com/baseliner/baseliner/pkg/state"
	"github.com/baseliner/baseliner/pkg/web"
)

type unlearnOptions struct {
	where
	action, id              string
	from, to, match, reason string
}

func unlearnFlags(c *kingpin.CmdClause) *unlearnOptions {
	o := &unlearnOptions{}
	c.Arg("action", "add (the default), list, or undo ID.").Default("add").EnumVar(&o.action, "add", "list", "undo")
	c.Arg("id", "Window to undo.").StringVar(&o.id)
	c.Flag("from", "First instant to forget: RFC 3339, unix seconds, or before now as in -3h.").StringVar(&o.from)
	c.Flag("to", "Instant at which that ends: the same, or now.").StringVar(&o.to)
	c.Flag("match", `Series to forget it for, as in '{signal="orders",route="/checkout"}'; all by default.`).StringVar(&o.match)
	c.Flag("reason", "Why, for those who come after.").StringVar(&o.reason)
	o.flags(c)
	return o
}

func unlearn(ctx context.Context, o *unlearnOptions, stdout io.Writer, logger *slog.Logger) error {
	var w web.UnlearnedView
	now := time.Now()
	switch o.action {
	case "undo":
		if o.id == "" {
			return errors.New("name the window: baseliner unlearn undo ID, from baseliner unlearn list")
		}
	case "add":
		if o.from == "" || o.to == "" {
			return errors.New("give --from and --to")
		}
		var err error
		if w.From, err = parseInstant("from", o.from, now); err != nil {
			return err
		}
		if w.To, err = parseInstant("to", o.to, now); err != nil {
			return err
		}
		w.Match, w.Reason, w.Created = o.match, o.reason, now
	}
	ask := o.ask
	if o.stopped() {
		ask = func(ctx context.Context, w web.UnlearnedView) ([]web.UnlearnedView, error) {
			return o.write(ctx, w, logger)
		}
	}
	list, err := ask(ctx, w)
	if err != nil {
		return err
	}
	return o.print(stdout, list)
}

// ask does it with a running instance.
func (o *unlearnOptions) ask(ctx context.Context, w web.UnlearnedView) (list []web.UnlearnedView, err error) {
	switch o.action {
	case "list":
		return list, o.call(ctx, http.MethodGet, "unlearn", nil, nil, &list)
	case "undo":
		err = o.call(ctx, http.MethodDelete, "unlearn", url.Values{"id": {o.id}}, nil, &w)
	default:
		body := map[string]any{"from": w.From, "to": w.To, "match": w.Match, "reason": w.Reason}
		err = o.call(ctx, http.MethodPost, "unlearn", nil, body, &w)
	}
	return []web.UnlearnedView{w}, err
}

// write does it in the storage of a stopped instance, which learns of it when it starts.
func (o *unlearnOptions) write(_ context.Context, w web.UnlearnedView, logger *slog.Logger) (list []web.UnlearnedView, err error) {
	if err := holdsInstance(o.path); err != nil {
		return nil, err
	}
	ledger, err := state.OpenLedger(o.path, state.Options{})
	if errors.Is(err, state.ErrLocked) {
		return nil, o.locked()
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, ledger.Close()) }()
	kept, err := pipeline.NewUnlearned(ledger, logger, nil)
	if err != nil {
		return nil, err
	}
	var one state.Unlearned
	switch o.action {
	case "list":
		for _, u := range kept.List() {
			list = append(list, unlearnedView(u, 0))
		}
		return list, nil
	case "undo":
		var found bool
		if one, found, err = kept.Undo(o.id); err == nil && !found {
			err = fmt.Errorf("no such window: %s", o.id)
		}
	default:
		one, err = kept.Put(unlearnedState(w))
	}
	return []web.UnlearnedView{unlearnedView(one, 0)}, err
}

func (o *unlearnOptions) print(stdout io.Writer, list []web.UnlearnedView) error {
	if o.action == "list" {
		t := tabwriter.NewWriter(stdout, 0, 4, 2, ' ', 0)
		fmt.Fprintln(t, "ID\tFROM (UTC)\tTO\tSERIES\tCREATED\tREASON")
		for _, w := range list {
			match := w.Match
			if match == "" {
				match = "all"
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", w.ID, utc(w.From.UnixMilli()), utc(w.To.UnixMilli()), match, utc(w.Created.UnixMilli()), w.Reason)
		}
		return t.Flush()
	}
	what, w := "unlearned", list[0]
	if o.action == "undo" {
		what = "undone:"
	}
	folded := fmt.Sprintf("%d series folded anew", w.Series)
	if o.stopped() {
		folded = "models are folded anew at the next start"
	}
	_, err := fmt.Fprintf(stdout, "%s %s, %s to %s; %s\n", what, w.ID, utc(w.From.UnixMilli()), utc(w.To.UnixMilli()), folded)
	return err
}

func unlearnedView(u state.Unlearned, folded int) web.UnlearnedView {
	return web.UnlearnedView{
		ID: u.ID, From: time.UnixMilli(u.From).UTC(), To: time.UnixMilli(u.To).UTC(), Match: u.Match, Reason: u.Reason,
		Created: time.UnixMilli(u.Created).UTC(), Series: folded,
	}
}

func unlearnedState(w web.UnlearnedView) state.Unlearned {
	return state.Unlearned{From: w.From.UnixMilli(), To: w.To.UnixMilli(), Match: w.Match, Reason: w.Reason, Created: w.Created.UnixMilli()}
}

// unlearner translates for the API.
type unlearner struct{ *instance }

func (u unlearner) List() []web.UnlearnedView {
	list := u.stores.unlearned.List()
	out := make([]web.UnlearnedView, len(list))
	for k := range list {
		out[k] = unlearnedView(list[k], 0)
	}
	return out
}

func (u unlearner) Unlearn(ctx context.Context, w web.UnlearnedView) (web.UnlearnedView, error) {
	one, err := u.stores.unlearned.Put(unlearnedState(w))
	if invalid, ok := errors.AsType[*pipeline.InvalidError](err); ok {
		return w, &web.InvalidError{Err: invalid}
	}
	if err != nil {
		return w, err
	}
	return unlearnedView(one, u.reconsider(ctx)), nil
}

func (u unlearner) Undo(ctx context.Context, id string) (w web.UnlearnedView, found bool, err error) {
	one, found, err := u.stores.unlearned.Undo(id)
	if err != nil || !found {
		return w, found, err
	}
	return unlearnedView(one, u.reconsider(ctx)), true, nil
}

// reconsider folds what is concerned now. When that fails, or the client does not wait, the next tick does it.
func (u unlearner) reconsider(ctx context.Context) (folded int) {
	err := u.driver.Do(ctx, func() (err error) {
		folded, err = u.in.Reconsider()
		return err
	})
	if err != nil {
		u.logger.Warn("models were not folded anew; the next tick does it", "err", err)
	}
	return folded
}
