package config

import (
	"errors"
	"io/fs"
	"net/url"
	"reflect"
	"regexp"
	"strings"
	"time"

	commonconfig "github.com/prometheus/common/config"
	yamlv2 "go.yaml.in/yaml/v2"
	"go.yaml.in/yaml/v3"

	"github.com/baseliner/baseliner/pkg/alert"
	"github.com/baseliner/baseliner/pkg/alert/webhook"
)

// Receiver is somebody who hears of alerts.
type Receiver struct {
	Name     string
	Webhooks []Webhook
	Budget   alert.Allowance // of notifications; zero is no limit
}

// Webhook is one place to which a receiver's notifications are posted. Exactly one of URL and URLFile is set.
type Webhook struct {
	URL          Secret
	URLFile      string // absolute or relative to the working directory
	SecretFile   string // the same; holds the keys that sign messages, "" signs none
	SendResolved bool
	MaxAlerts    int           // in one message; 0 is no limit
	Timeout      time.Duration // of one attempt
	HTTP         commonconfig.HTTPClientConfig
	Payload      webhook.Shape // nil for Alertmanager's
	RoutingKey   string        // file with PagerDuty's key, for its shape only
}

const webhookTimeout = 10 * time.Second

// Alertmanager quotes the receiver's name for regular expressions in the key of a group; these characters need no quotes.
var receiverName = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// receivers returns the names that are defined.
func (l *loader) receivers(list []receiverSchema) []string {
	var names []string
	first := map[string]int{}
	for i := range list {
		r, path := &list[i], index("alerting.receivers", i)
		if !l.isMapping(path) {
			continue
		}
		switch line, again := first[r.Name]; {
		case r.Name == "":
			l.fail(path+".name", "", "is missing")
		case !receiverName.MatchString(r.Name):
			l.fail(path+".name", "", "%q would be escaped in notifications: use letters, digits, _ and -", r.Name)
		case again:
			l.fail(path+".name", "", "receiver %q is already defined in line %d", r.Name, line)
		}
		if _, ok := first[r.Name]; !ok {
			first[r.Name] = l.line(path + ".name")
		}
		names = append(names, r.Name)
		receiver := Receiver{Name: r.Name, Budget: alert.Allowance{PerHour: r.Budget.PerHour, PerDay: r.Budget.PerDay}}
		for key, n := range map[string]int{"per_hour": r.Budget.PerHour, "per_day": r.Budget.PerDay} {
			if n < 0 || n > mostNotifications {
				l.fail(path+".notification_budget."+key, "0 is no limit", "%d is not between 0 and %d", n, mostNotifications)
			}
		}
		for j := range r.Webhooks {
			if at := index(path+".webhook_configs", j); l.isMapping(at) {
				receiver.Webhooks = append(receiver.Webhooks, l.webhook(at, &r.Webhooks[j]))
			}
		}
		l.cfg.Alerting.Receivers = append(l.cfg.Alerting.Receivers, receiver)
	}
	return names
}

func (l *loader) webhook(path string, s *webhookSchema) Webhook {
	w := Webhook{URL: s.URL, SendResolved: true, MaxAlerts: s.MaxAlerts, Timeout: webhookTimeout}
	switch {
	case s.URL == "" && s.URLFile == "":
		l.fail(path, "set url or url_file", "nowhere to send to")
	case s.URL != "" && s.URLFile != "":
		l.fail(path+".url_file", "keep one of the two", "set beside url")
	case s.URL != "":
		l.address(path+".url", s.URL.Reveal())
	default:
		w.URLFile = commonconfig.JoinDir(l.dir, s.URLFile)
		// That the file exists is checked with all the others.
		if b, err := readFile(w.URLFile, maxReferenced); err == nil {
			l.address(path+".url_file", strings.TrimSpace(string(b)))
		}
	}
	if l.has(path + ".send_resolved") {
		w.SendResolved = s.SendResolved
	}
	if s.MaxAlerts < 0 {
		l.fail(path+".max_alerts", "0 is no limit", "%d is negative", s.MaxAlerts)
	}
	if l.has(path + ".timeout") {
		w.Timeout = s.Timeout
		l.between(path+".timeout", s.Timeout, 100*time.Millisecond, 10*time.Minute)
	}
	if s.SecretFile != "" {
		w.SecretFile = commonconfig.JoinDir(l.dir, s.SecretFile)
		if _, err := webhook.ReadSecrets(w.SecretFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
			l.fail(path+".secret_file", "write whsec_ and 24 to 64 random bytes in base64", "%s", err)
		}
	}
	w.Payload = l.shape(path+".payload", s.Payload)
	if s.RoutingKey != "" {
		w.RoutingKey = commonconfig.JoinDir(l.dir, s.RoutingKey)
	}
	if pager, _ := webhook.Named(webhook.PagerDuty); (w.Payload == pager) != (w.RoutingKey != "") {
		l.fail(path+".routing_key_file", "", "payload: pagerduty and routing_key_file go together")
	}
	own := keysOf(reflect.TypeFor[webhookSchema]())
	if http := l.httpClient(path, s.HTTP, own); http != nil {
		w.HTTP = *http
	}
	return w
}

// shape reads the name of a ready-made shape, or the tree of a template.
func (l *loader) shape(path string, n *yaml.Node) webhook.Shape {
	if n == nil || isNull(n) {
		return nil
	}
	var tree any
	err := n.Decode(&tree)
	if name, ok := tree.(string); err == nil && ok && !strings.Contains(name, "{{") {
		s, known := webhook.Named(name)
		if !known {
			l.fail(path, didYouMean(name, webhook.Names()), "%q is no ready-made payload (%s) and no tree", name, strings.Join(webhook.Names(), ", "))
		}
		return s
	}
	var t *webhook.Template
	if err == nil {
		t, err = webhook.NewTemplate(tree)
	}
	if err != nil {
		l.fail(path, "", "%s", err)
		return nil
	}
	return t
}

// address checks a URL without ever showing it.
func (l *loader) address(path, text string) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		l.fail(path, "", "is not a URL")
	case u.Scheme != "http" && u.Scheme != "https":
		l.fail(path, "", "does not begin with http:// or https://")
	case u.Hostname() == "":
		l.fail(path, "", "names no host")
	}
}

// httpClient decodes Prometheus' HTTP client options, which stand beside keys of ours. It returns nil when they are
// refused.
func (l *loader) httpClient(path string, n *yaml.Node, own []string) *commonconfig.HTTPClientConfig {
	cfg := commonconfig.DefaultHTTPClientConfig
	if n == nil {
		return &cfg
	}
	before := len(l.errs.Problems)
	block{
		node: n, path: path, known: append(own, allKeys(reflect.TypeFor[commonconfig.HTTPClientConfig]())...),
		load: func(text []byte) error {
			cfg = commonconfig.HTTPClientConfig{}
			return yamlv2.UnmarshalStrict(text, &cfg)
		},
	}.check(l.errs)
	if len(l.errs.Problems) > before {
		return nil
	}
	cfg.SetDirectory(l.dir)
	return &cfg
}
