package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/baseliner/baseliner/pkg/baseline"
	"github.com/baseliner/baseliner/pkg/config"
	"github.com/baseliner/baseliner/pkg/detect"
	"github.com/baseliner/baseliner/pkg/pipeline"
	"github.com/baseliner/baseliner/pkg/series"
	"github.com/baseliner/baseliner/pkg/signal"
	"github.com/baseliner/baseliner/pkg/state"
	"github.com/baseliner/baseliner/pkg/web"
)

type explainOptions struct {
	where
	signal, match, at, format, config string
}

func explainFlags(c *kingpin.CmdClause) *explainOptions {
	o := &explainOptions{}
	c.Flag("signal", "Signal to explain.").Required().StringVar(&o.signal)
	c.Flag("match", `Series of it, as in '{route="/checkout"}'; all by default.`).StringVar(&o.match)
	c.Flag("at", "Instant: RFC 3339, unix seconds, now, or before now as in -3h. The last tick before it is explained.").Default("now").StringVar(&o.at)
	c.Flag("format", "text or json.").Default("text").EnumVar(&o.format, "text", "json")
	c.Flag("config.file", "Configuration of the stopped instance; with --storage.path only.").Default("config/baseliner.yml").StringVar(&o.config)
	o.flags(c)
	return o
}

func explain(ctx context.Context, o *explainOptions, stdout io.Writer, logger *slog.Logger) error {
	at, err := parseInstant("at", o.at, time.Now())
	if err != nil {
		return err
	}
	var all []*detect.Explanation
	if o.stopped() {
		all, err = o.explainStopped(ctx, at, logger)
	} else {
		params := url.Values{"signal": {o.signal}, "match": {o.match}, "at": {at.Format(time.RFC3339Nano)}}
		err = o.call(ctx, http.MethodGet, "explain", params, nil, &all)
	}
	if err != nil {
		return err
	}
	if o.format == "json" {
		e := json.NewEncoder(stdout)
		e.SetIndent("", "  ")
		return e.Encode(all)
	}
	for i, e := range all {
		if i > 0 {
			fmt.Fprintln(stdout)
		}
		if err := printExplanation(stdout, e); err != nil {
			return err
		}
	}
	return nil
}

// explainStopped opens the storage of a stopped instance.
func (o *explainOptions) explainStopped(ctx context.Context, at time.Time, logger *slog.Logger) (all []*detect.Explanation, err error) {
	if err := holdsInstance(o.path); err != nil {
		return nil, err
	}
	cfg, err := loadConfig(o.config, config.Options{Logger: logger}, os.Stderr)
	if err != nil {
		return nil, err
	}
	st, err := openStores(o.path, cfg, nil, logger)
	if errors.Is(err, state.ErrLocked) {
		return nil, o.locked()
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, st.close()) }()
	in, err := st.open(ctx, cfg, nil, logger)
	if err != nil {
		return nil, err
	}
	return in.Explain(ctx, o.signal, o.match, at.UnixMilli())
}

// printExplanation writes what people read: what was seen, what was normal, and one line for each gate.
func printExplanation(stdout io.Writer, e *detect.Explanation) error {
	amount := func(v float64) string { return signal.Format(v, e.Unit) }
	fmt.Fprintf(stdout, "%s%s at %s\n", e.Signal, labelText(e.Labels), e.Context)
	fmt.Fprintf(stdout, "  %s\n", verdict(e))
	switch {
	case e.Missing != series.Observed.String():
		fmt.Fprintf(stdout, "  no value: %s\n", e.Missing)
	case !e.Known:
		fmt.Fprintf(stdout, "  value %s; %s\n", amount(float64(e.Value)), e.Learning)
	default:
		fmt.Fprintf(stdout, "  value %s, expected %s, normal %s; score %+.2f\n", amount(float64(e.Value)), amount(float64(e.Expected)),
			signal.FormatRange(float64(e.Lower), float64(e.Upper), e.Unit), float64(e.Score))
		fmt.Fprintf(stdout, "  %s, %d hours of history; bounds ×%.2f as it is young, ×%.2f on schedule; shape and noise go with level^%.2f (%s)\n",
			seenText(e.Weeks), e.Hours, e.Youth, e.Schedule, e.Power, powerText(e.Power))
	}
	t := tabwriter.NewWriter(stdout, 0, 4, 2, ' ', 0)
	if e.Known && e.Missing == series.Observed.String() {
		fmt.Fprintln(t, "\n  VIEW\t\tSEEN\tLIMIT\tMARGIN")
		for i, v := range e.Views {
			if v.Limit == 0 {
				fmt.Fprintf(t, "  %s\tsilent\t\t\tnothing to compare with\n", v.View)
				continue
			}
			unit := amount
			if v.View == "flat_line" {
				unit = func(x float64) string { return fmt.Sprintf("%.1f nats", x) }
			}
			if v.View == baseline.WindowName(i) {
				unit = func(x float64) string { return fmt.Sprintf("%.1f events", x) }
			}
			fmt.Fprintf(t, "  %s\t%s\t%s\t±%s\t%s\n", v.View, word(math.Abs(v.Score) >= 1, "outside", "inside"), unit(v.Seen), unit(v.Limit), share(v.Margin, v.Limit))
		}
	}
	fmt.Fprintln(t, "\n  GATE\t\tSEEN\tNEEDED\tMARGIN")
	held := false
	for _, g := range e.Gates {
		mark := ""
		if !g.Passed && !held {
			held, mark = true, "  ← decided"
		}
		if (!e.Known || e.Missing != series.Observed.String()) && g.Gate != detect.GateMissing && g.Gate != detect.GateLearning {
			fmt.Fprintf(t, "  %s\tnot asked\t\t\t\n", g.Gate)
			continue
		}
		if g.Seen == nil {
			fmt.Fprintf(t, "  %s\t%s\t%s\t\t%s\n", g.Gate, word(g.Passed, "pass", "hold"), g.Text, mark)
			continue
		}
		text := plainNumber
		switch g.Gate {
		case detect.GateAbsolute:
			text = amount
		case detect.GateRelative:
			text = func(x float64) string { return plainNumber(100*x) + " %" }
		case detect.GateFor:
			text = func(x float64) string { return time.Duration(x * float64(time.Second)).Round(time.Second).String() }
		default:
		}
		fmt.Fprintf(t, "  %s\t%s\t%s\t%s\t%s%s\n", g.Gate, word(g.Passed, "pass", "hold"), text(*g.Seen), text(*g.Limit), share(*g.Margin, *g.Limit), mark)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if e.Withheld != "" {
		fmt.Fprintf(stdout, "\n  not learnt: %s\n", e.Withheld)
	}
	for _, w := range e.Forgotten {
		fmt.Fprintf(stdout, "  this hour is not learnt: %s %s, %s to %s %s\n", w.Kind, w.ID, utc(w.From), utc(w.To), w.Reason)
	}
	for _, n := range e.Notes {
		fmt.Fprintf(stdout, "  note: %s\n", n)
	}
	return nil
}

// verdict says in a sentence what came of it.
func verdict(e *detect.Explanation) string {
	switch {
	case e.After.Phase == detect.Firing.String() && e.Before.Phase != e.After.Phase:
		return "FIRED: every gate passed"
	case e.After.Phase == detect.Firing.String():
		text := "FIRING since " + utc(e.After.StartsAt) + " UTC"
		if e.Gate != detect.GateOpen {
			text += "; it ends when the score stays under 0.7"
		}
		return text
	case e.Before.Phase == detect.Firing.String():
		return fmt.Sprintf("ENDED: %s", e.Gate)
	case e.After.Phase == detect.Pending.String():
		return "PENDING since " + utc(e.After.StartsAt) + " UTC: it has not lasted long enough"
	}
	return fmt.Sprintf("did not fire: held by %s", e.Gate)
}

func word(yes bool, a, b string) string {
	if yes {
		return a
	}
	return b
}

// share puts a margin beside the limit it is a margin of.
func share(margin, limit float64) string {
	if limit == 0 {
		return "no limit"
	}
	if percent := 100 * margin / limit; math.Abs(percent) < 1e6 {
		return fmt.Sprintf("%+.0f %%", percent)
	}
	return word(margin > 0, "far beyond", "far inside")
}

func plainNumber(v float64) string { return strconv.FormatFloat(v, 'g', 4, 64) }

func labelText(ls map[string]string) string {
	if len(ls) == 0 {
		return ""
	}
	return strings.ReplaceAll(series.FromMap(ls).String(), ", ", ",")
}

// explainer translates for the API.
type explainer struct{ in *pipeline.Instance }

func (x explainer) Explain(ctx context.Context, name, match string, at time.Time) (json.RawMessage, error) {
	all, err := x.in.Explain(ctx, name, match, at.UnixMilli())
	if invalid, ok := errors.AsType[*pipeline.InvalidError](err); ok {
		return nil, &web.InvalidError{Err: invalid}
	}
	if err != nil {
		return nil, err
	}
	return json.Marshal(all)
}

func seenText(n int) string {
	if n == 1 {
		return "seen once before"
	}
	return fmt.Sprintf("seen %d times before", n)
}

// powerText names the power of the level with which a series goes by the nearest of the usual kinds.
func powerText(power float64) string {
	return [...]string{"additive", "square root", "multiplicative"}[int(math.Round(2*min(max(power, 0), 1)))]
}
