package main

import (
	"cmp"
	"math"
	"time"

	"github.com/baseliner/baseliner/pkg/incident"
	"github.com/baseliner/baseliner/pkg/pipeline"
	"github.com/baseliner/baseliner/pkg/series"
	"github.com/baseliner/baseliner/pkg/web"
)

// incidents translates what the instance keeps into what the pages show.
type incidents struct{ in *pipeline.Instance }

func (i incidents) Each(before time.Time, f func(*web.IncidentView) bool) error {
	end := int64(math.MaxInt64)
	if !before.IsZero() {
		end = before.UnixMilli()
	}
	return i.in.EachIncident(end, func(r *pipeline.IncidentRecord) bool {
		v := incidentView(r)
		return f(&v)
	})
}

func (i incidents) Open() ([]web.IncidentView, error) {
	all, err := i.in.OpenIncidents()
	out := make([]web.IncidentView, 0, len(all))
	for k := range all {
		out = append(out, incidentView(&all[k]))
	}
	return out, err
}

func (i incidents) Find(id string) (*web.IncidentView, error) {
	r, err := i.in.Incident(id)
	if r == nil {
		return nil, err
	}
	v := incidentView(r)
	return &v, err
}

func incidentView(r *pipeline.IncidentRecord) web.IncidentView {
	s := &r.Story
	v := web.IncidentView{
		ID: r.ID, State: "open", MergedInto: r.Merged, StartsAt: instant(r.StartsAt), EndsAt: instant(r.EndsAt), ToldAt: instant(r.ToldAt),
		UpdatedAt: instant(r.UpdatedAt), Severity: cmp.Or(r.Gravest, r.Labels["severity"]), Layer: s.Outcome.Layer.String(), Labels: r.Labels, Summary: r.Summary,
		FirstMovers: suspectViews(s.First), Simultaneous: len(s.First) > 1, Impact: []web.ImpactView{}, Explained: s.Explained(),
		Causes: suspectViews(s.Causes), Events: []web.EventView{}, Contributors: []web.ContributorView{}, Members: []web.MemberView{}, Annotations: r.Annotations,
	}
	for k := range s.Former {
		v.Former = append(v.Former, web.FormerView{FirstMovers: suspectViews(s.Former[k].First), Until: instant(s.Former[k].Until)})
	}
	switch {
	case r.Merged != "":
		v.State = "merged"
	case r.EndsAt != 0:
		v.State = "resolved"
	}
	if s.Broken != nil {
		broken := suspectView(s.Broken)
		v.Broken = &broken
	}
	for k := range s.Impact {
		v.Impact = append(v.Impact, impactView(&s.Impact[k], r.Losses))
	}
	for k := range r.Losses { // of what is worth money and not the business's
		l := &r.Losses[k]
		if x := (incident.Suspect{Signal: l.Signal, Labels: l.Labels}); !known(s.Impact, &x) {
			v.Impact = append(v.Impact, impactView(&x, r.Losses))
		}
	}
	for _, e := range s.Events {
		v.Events = append(v.Events, web.EventView{ID: e.ID, Type: e.Type, Text: e.Text, At: instant(e.At), Labels: e.Labels})
	}
	for _, c := range s.Carriers {
		v.Contributors = append(v.Contributors, web.ContributorView(c))
	}
	for k := range r.Members {
		m := &r.Members[k]
		one := web.MemberView{
			Signal: m.Signal, Layer: m.Layer.String(), Service: m.Service, Labels: m.Labels.Map(), Type: "anomaly", Direction: m.Direction.String(),
			Severity: m.Severity, StartsAt: instant(m.StartsAt), EndsAt: instant(m.EndsAt), Peak: finite(m.Peak), Why: m.Why,
		}
		if m.Absent {
			one.Type, one.Direction = "absent", ""
		} else if m.Direction == series.Both {
			one.Direction = ""
		}
		v.Members = append(v.Members, one)
	}
	return v
}

func known(all []incident.Suspect, x *incident.Suspect) bool {
	for k := range all {
		if all[k].Same(x) {
			return true
		}
	}
	return false
}

func suspectViews(all []incident.Suspect) []web.SuspectView {
	out := make([]web.SuspectView, 0, len(all))
	for k := range all {
		out = append(out, suspectView(&all[k]))
	}
	return out
}

func suspectView(s *incident.Suspect) web.SuspectView {
	return web.SuspectView{
		Signal: s.Signal, Layer: s.Layer.String(), Service: s.Service, Labels: s.Labels.Map(), Label: string(s.Label), Score: finite(s.Score),
		Shift: finite(s.Shift), CoMovement: finite(s.CoMovement), Since: instant(s.Onset), Anomalous: s.Member,
	}
}

// impactView is a business signal with what it lost, where that adds up.
func impactView(s *incident.Suspect, losses []pipeline.LossRecord) web.ImpactView {
	v := web.ImpactView{SuspectView: suspectView(s)}
	for k := range losses {
		l := &losses[k]
		if l.Signal != s.Signal || !l.Labels.Equal(s.Labels) {
			continue
		}
		v.From, v.To, v.Lost, v.More, v.Low, v.High, v.Level, v.Unit = instant(l.From), instant(l.To), &l.Lost, l.More, l.Low, l.High, l.Level, l.Unit
		if l.PerUnit > 0 {
			worth := func(x *float64) *float64 {
				if x == nil {
					return nil
				}
				y := *x * l.PerUnit
				return &y
			}
			v.Cost = &web.MoneyView{Amount: l.Lost * l.PerUnit, Low: worth(l.Low), High: worth(l.High), Currency: l.Currency}
		}
	}
	return v
}

// instant is a time of unix milliseconds; 0 is none.
func instant(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// finite is what JSON can carry.
func finite(x float64) float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return 0
	}
	return x
}
