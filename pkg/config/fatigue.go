package config

import (
	"slices"
	"strings"
	"time"

	"github.com/baseliner/baseliner/pkg/alert"
)

const (
	// mostNotifications bounds a budget of notifications: each of a day is remembered.
	mostNotifications = 10_000
	mostBegins        = 100
)

var weekdays = []string{"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"}

// fatigue reads what keeps receivers from being told too much: flapping and the weekly digest.
func (l *loader) fatigue(s *alertingSchema, receivers []string) {
	f := &s.Flapping
	if f.Begins != 0 && (f.Begins < 2 || f.Begins > mostBegins) {
		l.fail("alerting.flapping.begins", "0 tells every time", "%d is not between 2 and %d", f.Begins, mostBegins)
	}
	l.between("alerting.flapping.within", f.Within, time.Minute, 24*time.Hour)
	l.between("alerting.flapping.quiet_for", f.QuietFor, time.Minute, 24*time.Hour)
	l.cfg.Alerting.Flapping = alert.Flapping{Begins: f.Begins, Within: f.Within, QuietFor: f.QuietFor}
	if s.Digest != nil {
		l.digest("alerting.digest", s.Digest, receivers)
	}
}

func (l *loader) digest(path string, s *digestSchema, receivers []string) {
	d := &alert.Digest{Receiver: s.Receiver, Weekday: time.Monday, At: 8 * time.Hour}
	switch i := slices.IndexFunc(l.cfg.Alerting.Receivers, func(r Receiver) bool { return r.Name == s.Receiver }); {
	case s.Receiver == "":
		l.fail(path+".receiver", "", "is missing")
	case i < 0:
		l.fail(path+".receiver", didYouMean(s.Receiver, receivers), "receiver %q is not defined", s.Receiver)
	case !slices.ContainsFunc(l.cfg.Alerting.Receivers[i].Webhooks, func(w Webhook) bool { return w.SendResolved }):
		l.fail(path+".receiver", "", "receiver %q has no webhook with send_resolved, and a digest is an alert that is over", s.Receiver)
	}
	if l.has(path+".weekday") && l.oneOf(path+".weekday", strings.ToLower(s.Weekday), weekdays...) {
		d.Weekday = time.Weekday(slices.Index(weekdays, strings.ToLower(s.Weekday)))
	}
	if l.has(path + ".at") {
		t, err := time.Parse("15:04", s.At)
		if err != nil {
			l.fail(path+".at", "write it in quotes, as '08:00'", "%q is not a time of the day", s.At)
		}
		d.At = time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute
	}
	zone := l.cfg.Global.Timezone
	if l.has(path + ".timezone") {
		zone = s.Timezone
		l.zone(path+".timezone", zone)
	}
	var err error
	if d.Zone, err = time.LoadLocation(zone); err != nil {
		return // already told
	}
	l.cfg.Alerting.Digest = d
}
