package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/baseliner/baseliner/pkg/alert/outbox"
	"github.com/baseliner/baseliner/pkg/calendar"
	"github.com/baseliner/baseliner/pkg/config"
	"github.com/baseliner/baseliner/pkg/correlate"
	"github.com/baseliner/baseliner/pkg/incident"
	"github.com/baseliner/baseliner/pkg/pipeline"
	"github.com/baseliner/baseliner/pkg/report"
	"github.com/baseliner/baseliner/pkg/series"
	"github.com/baseliner/baseliner/pkg/web"
)

// relationsEvery is how often it is looked whether a week has ended.
const relationsEvery = time.Hour

func relationOptions(cfg *config.Config) (*calendar.Zone, correlate.Options, error) {
	zone, err := calendar.Load(cfg.Global.Timezone)
	lag := (cfg.Correlation.MaxLag + time.Hour - 1) / time.Hour
	return zone, correlate.Options{MaxLag: int(lag), FDR: cfg.Correlation.FalseDiscoveryRate}, err
}

func newRelations(cfg *config.Config, st *stores, in *pipeline.Instance, logger *slog.Logger) (*pipeline.Relations, error) {
	zone, o, err := relationOptions(cfg)
	if err != nil {
		return nil, err
	}
	return pipeline.NewRelations(pipeline.RelationsOptions{Ledger: st.ledger, Ties: st.learned, Members: in.Members, Zone: zone, Options: o, Logger: logger}), nil
}

// reporter writes reports of what was learnt, and of what changed after deploys.
type reporter struct {
	relations *pipeline.Relations
	notes     *pipeline.Annotations
	status    func() []pipeline.SignalStatus
	incidents func(from, to int64) ([]pipeline.IncidentRecord, error)
	past      func(from, to int64) ([]outbox.Past, error)
	page      *url.URL // of the instance; nil where it has none
	now       func() time.Time
}

func (i *instance) reporter() reporter {
	return reporter{i.related, i.stores.notes, i.in.Status, i.in.IncidentsOf, i.stores.announcer.PastAlerts, i.page, time.Now}
}

func (r reporter) Report(ctx context.Context, kind, format string, params url.Values) ([]byte, error) {
	var d *report.Document
	var err error
	switch kind {
	case "change":
		d, err = r.change(ctx, params.Get("at"))
	case "envelope":
		d, err = r.envelope(ctx)
	case "weekly":
		d, err = r.week(params.Get("to"))
	case "capacity":
		d, err = r.capacity(ctx, params.Get("limit"))
	default:
		d, err = r.document(kind, params.Get("outcome"))
	}
	if err != nil {
		return nil, &web.InvalidError{Err: err}
	}
	if format == "json" {
		return json.Marshal(d.Data)
	}
	var b bytes.Buffer
	err = d.Write(&b, report.Format(format))
	return b.Bytes(), err
}

// week is the report of the week before to.
func (r reporter) week(to string) (*report.Document, error) {
	end, err := r.weekTo(to)
	if err != nil {
		return nil, err
	}
	w, err := r.weekly(end)
	if err != nil {
		return nil, err
	}
	return w.Document(), nil
}

// change compares before and after an instant, that of the newest deploy by default.
func (r reporter) change(ctx context.Context, when string) (*report.Document, error) {
	now := r.now()
	in := report.ChangeInput{}
	var at time.Time
	if when != "" {
		var err error
		if at, err = parseInstant("at", when, now); err != nil {
			return nil, err
		}
	}
	for _, a := range r.notes.List() {
		start := time.UnixMilli(a.Start)
		if a.Type == pipeline.DeployMark && !start.After(now) && (when == "" && start.After(at) || when != "" && start.Equal(at)) {
			at, in.What = start, a.Text
		}
	}
	if at.IsZero() {
		return nil, errors.New("no deploy was told, and at is not given: when was the change?")
	}
	c, err := r.relations.Compare(ctx, at.UnixMilli(), now.UnixMilli())
	if err != nil {
		return nil, err
	}
	zone := r.relations.Zone()
	in.At, in.Until, in.Traffic, in.FDR, in.Changes = zone.Local(at.UnixMilli()), zone.Local(c.End*hourMillis), c.Traffic(), c.FDR, c.Changes
	in.Bad = func(name string) series.Direction {
		m := c.Members[name]
		if d := badDirection(&m.Def); d != series.Both || !m.Business() {
			return d
		}
		return series.Down
	}
	return report.NewChange(in).Document(), nil
}

// envelope looks at everything that is no business figure, over the load of the last weeks.
func (r reporter) envelope(ctx context.Context) (*report.Document, error) {
	h, err := r.relations.Recent(ctx, r.now().UnixMilli())
	if err != nil {
		return nil, err
	}
	if h.Volume == nil {
		return nil, errors.New("no signal with a single series is named visits, sessions, page_views, checkouts or requests: there is no traffic to tell loads by")
	}
	var all []*correlate.Series
	for _, s := range h.All {
		if s != h.Volume && s.Layer != series.Business {
			all = append(all, s)
		}
	}
	return envelopeOf(h.Frame, all, h.Volume, r.relations.Zone())
}

// capacity looks at everything that ends at a limit.
func (r reporter) capacity(ctx context.Context, text string) (*report.Document, error) {
	limit := defaultLimit
	if text != "" {
		var err error
		if limit, err = strconv.ParseFloat(text, 64); err != nil {
			return nil, fmt.Errorf("limit %q is not a number", text)
		}
	}
	h, err := r.relations.Recent(ctx, r.now().UnixMilli())
	if err != nil {
		return nil, err
	}
	return capacityOf(h.Frame, h.All, h.Volume, limit, r.relations.Zone())
}

var errNotLearnt = errors.New("relations are being learnt; ask again in a minute")

func relationInput(l *pipeline.Learnt, s *correlate.Study) report.CorrelationInput {
	in := report.CorrelationInput{Family: l.Family, Study: s, Zone: l.Zone}
	if v := l.Members[s.Outcome].Def.ValuePerUnit; v != nil {
		in.Worth = report.Worth{Amount: v.Amount, Currency: v.Currency}
	}
	return in
}

// told are the incidents of the outcome, as they were told.
func (r reporter) told(in *report.CorrelationInput) (out []report.Told, err error) {
	f := in.Study.Frame()
	if f == nil {
		return nil, nil
	}
	all, err := r.incidents(f.First*hourMillis, (f.First+int64(f.Rows()))*hourMillis)
	for i := range all {
		n := &all[i]
		if n.Merged != "" || !slices.ContainsFunc(n.Members, func(a incident.Anomaly) bool { return pipeline.NameOf(a.Signal, a.Labels) == in.Study.Outcome }) {
			continue
		}
		begin := in.Zone.Local(n.StartsAt)
		t := report.Told{Start: begin, End: local(n.EndsAt, begin), Summary: n.Summary, URL: r.link("incident", url.Values{"id": {n.ID}})}
		for k := range n.Losses {
			if l := &n.Losses[k]; pipeline.NameOf(l.Signal, l.Labels) == in.Study.Outcome {
				lost := bounds(l, 1)
				if t.Lost = &lost; l.PerUnit > 0 {
					money := bounds(l, l.PerUnit)
					t.Money = &money
				}
			}
		}
		out = append(out, t)
	}
	return out, err
}

func (r reporter) document(kind, outcome string) (*report.Document, error) {
	if !slices.Contains(reportKinds, kind) {
		return nil, fmt.Errorf("report %q is not one of %s", kind, joinNames(reportKinds))
	}
	l := r.relations.Latest()
	if l == nil {
		return nil, errNotLearnt
	}
	var names []string
	var inputs []report.CorrelationInput
	for _, s := range l.Family.Studies {
		names = append(names, s.Outcome)
		if outcome != "" && s.Outcome != outcome {
			continue
		}
		inputs = append(inputs, relationInput(l, s))
	}
	switch {
	case len(inputs) > 0 && kind == "impact":
		return report.NewImpact(inputs).Document(), nil
	case len(inputs) == 1:
		var err error
		if inputs[0].Told, err = r.told(&inputs[0]); err != nil {
			return nil, err
		}
		return report.NewCorrelation(inputs[0]).Document(inputs[0]), nil
	case len(inputs) > 1:
		return nil, fmt.Errorf("outcome is required: one of %s", joinNames(names))
	}
	if why := l.Unknown[outcome]; why != "" {
		return nil, fmt.Errorf("nothing is known of %s yet: %s", outcome, why)
	}
	for name, why := range l.Unknown {
		if outcome == "" {
			return nil, fmt.Errorf("outcome is required; nothing is known of %s yet: %s", name, why)
		}
	}
	if len(names) == 0 {
		return nil, errors.New("no signal of the layer business has been seen")
	}
	return nil, fmt.Errorf("outcome %q is not one of %s", outcome, joinNames(names))
}
