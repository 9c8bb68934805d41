package main

import (
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	"go.yaml.in/yaml/v2"

	"github.com/baseliner/baseliner/pkg/config"
)

const rulesFile = "../../deploy/prometheus/baseliner.rules.yml"

// TestRulesAboutOurselves checks that the rules are rules and watch nothing that does not exist.
func TestRulesAboutOurselves(t *testing.T) {
	groups, errs := rulefmt.ParseFile(rulesFile, false, model.UTF8Validation, parser.NewParser(parser.Options{}), promslog.NewNopLogger())
	for _, err := range errs {
		t.Error(err)
	}
	ours := ownMetrics(t)
	tests, err := os.ReadFile(filepath.Join(filepath.Dir(rulesFile), "baseliner.test.yml"))
	if err != nil {
		t.Fatal(err)
	}
	rules := 0
	for _, g := range groups.Groups {
		for _, r := range g.Rules {
			rules++
			expr, err := parser.NewParser(parser.Options{}).ParseExpr(r.Expr)
			if err != nil {
				t.Fatal(err)
			}
			parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
				if s, ok := n.(*parser.VectorSelector); ok && !ours[s.Name] {
					t.Errorf("%s watches %s, which does not exist", r.Alert, s.Name)
				}
				return nil
			})
			if !strings.Contains(string(tests), "\n        alertname: "+r.Alert+"\n        exp_alerts:") {
				t.Errorf("no test lets %s fire", r.Alert)
			}
			if r.Annotations["summary"] == "" || r.Annotations["description"] == "" || r.Labels["severity"] == "" {
				t.Errorf("%s lacks summary, description or severity", r.Alert)
			}
		}
	}
	if rules < 10 {
		t.Errorf("only %d rules", rules)
	}
}

// What the rules do over time is in baseliner.test.yml; Prometheus' own tool judges it.
func TestPromtoolOnTheRulesAboutOurselves(t *testing.T) {
	promtool := peer(t, "apt-get install prometheus", "promtool")
	dir, file := filepath.Split(rulesFile)
	for _, args := range [][]string{{"check", "rules", file}, {"test", "rules", "baseliner.test.yml"}} {
		tool := exec.Command(promtool, args...)
		tool.Dir = dir
		out, err := tool.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "SUCCESS") {
			t.Errorf("promtool %v: %v\n%s", args, err, out)
		}
	}
}

func TestThePrometheusRuleHasTheSameRules(t *testing.T) {
	read := func(path string, into any) {
		t.Helper()
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.Unmarshal(b, into); err != nil {
			t.Fatal(err)
		}
	}
	var plain struct{ Groups any }
	var custom struct{ Spec struct{ Groups any } }
	read(rulesFile, &plain)
	read("../../deploy/prometheus/prometheusrule.yml", &custom)
	if plain.Groups == nil || !reflect.DeepEqual(plain.Groups, custom.Spec.Groups) {
		t.Error("the rules differ")
	}
}

var described = regexp.MustCompile(`fqName: "([^"]+)"`)

// ownMetrics are the names of all metrics that an instance registers.
func ownMetrics(t *testing.T) map[string]bool {
	t.Helper()
	cfg, err := config.LoadBytes("x.yml", nil, config.Options{})
	if err != nil {
		t.Fatal(err)
	}
	reg, logger := prometheus.NewRegistry(), promslog.NewNopLogger()
	st, err := openStores(t.TempDir(), cfg, reg, logger)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := st.close(); err != nil {
			t.Error(err)
		}
	}()
	i := &instance{o: &runOptions{}, logger: logger, stores: st, page: &url.URL{Scheme: "http", Host: "localhost"}}
	i.cfg.Store(cfg)
	if err := i.build(t.Context(), cfg, reg); err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	descs := make(chan *prometheus.Desc)
	go func() {
		reg.Describe(descs)
		close(descs)
	}()
	for d := range descs {
		if m := described.FindStringSubmatch(d.String()); m != nil {
			names[m[1]] = true
		}
	}
	return names
}
