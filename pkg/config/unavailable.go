package config

import (
	"net"
	"reflect"
	"strings"
	"time"

	amconfig "github.com/prometheus/alertmanager/config"
	amcommon "github.com/prometheus/alertmanager/config/common"
	promconfig "github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/model/relabel"
	yamlv2 "go.yaml.in/yaml/v2"
	"go.yaml.in/yaml/v3"
)

// The false alarms that detection may cost unless configured otherwise.
var (
	budgetPerSignal = rate{1, 7 * 24 * time.Hour}
	budgetInTotal   = rate{7, 7 * 24 * time.Hour}
)

// refuse says that a key works in a later version, if the file asks for what it does.
func (l *loader) refuse(path string, asked bool, hint ...string) {
	if asked {
		l.fail(path, strings.Join(hint, ""), "is not available yet")
	}
}

// notYet validates and refuses what the contract promises and this version cannot do. Values that ask for nothing, such
// as enabled: false, pass.
func (l *loader) notYet(s *fileSchema) {
	l.notYetIngest(s)
	l.notYetSignals(s.Signals)
	l.library("calendar.maintenance", s.Calendar.Maintenance, reflect.TypeFor[amconfig.TimeInterval]())
	l.notYetAlerting(&s.Alerting)

	if r := s.Engine.Remote; r != nil {
		if r.URL == "" {
			l.fail("engine.remote.url", "", "is missing")
		} else {
			l.address("engine.remote.url", r.URL.Reveal())
		}
		if r.RemoteWriteURL != "" {
			l.address("engine.remote.remote_write_url", r.RemoteWriteURL.Reveal())
		}
		l.httpClient("engine.remote", r.HTTP, []string{"url", "remote_write_url"})
		l.refuse("engine.remote", true)
	}
	l.refuse("state.bucket", isSet(s.State.Bucket))
	l.refuse("packs", len(s.Packs) > 0, "signals have to be written by hand for now")

	l.refuse("detection.budget.signal", !s.Detection.Budget.Signal.equal(budgetPerSignal), "the default of 1/w applies")
	l.refuse("detection.budget.total", !s.Detection.Budget.Total.equal(budgetInTotal), "the default of 7/w applies")
	if s.Correlation.FalseDiscoveryRate > 1 {
		l.fail("correlation.false_discovery_rate", "", "%v is more than 1", float64(s.Correlation.FalseDiscoveryRate))
	}
	l.refuse("correlation.max_lag", l.has("correlation.max_lag"))
	l.refuse("correlation.false_discovery_rate", l.has("correlation.false_discovery_rate"))
	l.notYetCluster(&s.Cluster)
}

func (l *loader) notYetIngest(s *fileSchema) {
	for path, endpoint := range map[string]string{
		"ingest.otlp.grpc.endpoint": s.Ingest.OTLP.GRPC.Endpoint,
		"ingest.otlp.http.endpoint": s.Ingest.OTLP.HTTP.Endpoint,
	} {
		if !l.has(path) {
			continue
		}
		if _, _, err := net.SplitHostPort(endpoint); err != nil {
			l.fail(path, "write 127.0.0.1:4317", "%q is not host:port", endpoint)
		}
		l.refuse(path, true)
	}
	l.refuse("ingest.remote_write.enabled", s.Ingest.RemoteWrite.Enabled)
	l.refuse("ingest.business.enabled", s.Ingest.Business.Enabled)

	for key, hint := range map[string]string{
		"series":             "",
		"labels":             "global.label_limit bounds what is scraped",
		"label_value_bytes":  "global.label_value_length_limit bounds what is scraped",
		"samples_per_scrape": "global.sample_limit bounds what is scraped",
		"body_bytes":         "global.body_size_limit bounds what is scraped",
		"in_flight_bytes":    "",
	} {
		l.refuse("limits."+key, l.has("limits."+key), hint)
	}
	for key, n := range map[string]int{
		"series": s.Limits.Series, "labels": s.Limits.Labels, "samples_per_scrape": s.Limits.SamplesPerScrape,
	} {
		if n < 0 {
			l.fail("limits."+key, "", "%d is negative", n)
		}
	}
}

func (l *loader) notYetSignals(list []signalSchema) {
	for i := range list {
		s, path := &list[i], index("signals", i)
		l.refuse(path+".budget", l.has(path+".budget"))
		if v := s.ValuePerUnit; v != nil {
			if !currency.MatchString(v.Currency) {
				l.fail(path+".value_per_unit.currency", "use a code of ISO 4217 such as EUR", "%q is not a currency", v.Currency)
			}
			l.refuse(path+".value_per_unit", true)
		}
	}
}

func (l *loader) notYetAlerting(s *alertingSchema) {
	l.library("alerting.inhibit_rules", s.InhibitRules, reflect.TypeFor[amcommon.InhibitRule]())
	l.library("alerting.time_intervals", s.TimeIntervals, reflect.TypeFor[amconfig.TimeInterval]())
	l.library("alerting.alertmanagers", s.Alertmanagers, reflect.TypeFor[promconfig.AlertmanagerConfig](), discoveries...)
	l.library("alerting.alert_relabel_configs", s.AlertRelabelConfigs, reflect.TypeFor[relabel.Config]())
	for _, key := range []string{"outbox.max_bytes", "dead_letters.max_age", "dead_letters.max_bytes"} {
		l.refuse("alerting."+key, l.has("alerting."+key))
	}
	for i, r := range s.Receivers {
		for j := range r.Webhooks {
			path := index(index("alerting.receivers", i)+".webhook_configs", j) + ".secret_file"
			l.refuse(path, l.has(path), "notifications are not signed")
		}
	}
}

// library checks a list whose elements are of a library's type, and refuses it unless it is empty.
func (l *loader) library(path string, n *yaml.Node, element reflect.Type, known ...string) {
	if n == nil {
		return
	}
	if n.Kind != yaml.SequenceNode {
		l.fail(path, "", "is %s, want a list", describe(n))
		return
	}
	for i, e := range n.Content {
		block{
			node: e, path: index(path, i), known: append(allKeys(element), known...),
			load: func(text []byte) error { return yamlv2.UnmarshalStrict(text, reflect.New(element).Interface()) },
		}.check(l.errs)
	}
	l.refuse(path, len(n.Content) > 0)
}

func (l *loader) notYetCluster(s *clusterSchema) {
	if s.Members < 1 {
		l.fail("cluster.members", "", "%d is less than 1", s.Members)
	}
	if s.Member < 0 || s.Member >= max(s.Members, 1) {
		l.fail("cluster.member", "members count from 0", "%d is not one of %d members", s.Member, s.Members)
	}
	if s.Replication < 1 {
		l.fail("cluster.replication", "", "%d is less than 1", s.Replication)
	}
	l.refuse("cluster.members", s.Members > 1)
	l.refuse("cluster.replication", s.Replication > 1)
	l.refuse("cluster.shard_by", len(s.ShardBy) > 0)
}
