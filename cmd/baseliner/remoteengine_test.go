package main

import (
	"errors"
	"fmt"
	"os/exec"
	"testing"
	"time"

	"github.com/baseliner/baseliner/pkg/web"
)

// Signals are evaluated on a real Prometheus, and what they come to is written back to a real VictoriaMetrics.
func TestRemoteEngine(t *testing.T) {
	t.Parallel()
	prometheus := peer(t, "apt-get install prometheus", "prometheus")
	victoria := peer(t, "apt-get install victoria-metrics", "victoria-metrics", "victoria-metrics-prod")
	dir := t.TempDir()
	far, store := freeAddress(t), freeAddress(t)
	spawn(t, exec.Command(victoria, "-storageDataPath="+dir+"/victoria", "-httpListenAddr="+store))
	theirs := write(t, dir, "prometheus.yml", fmt.Sprintf("global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs: [{job_name: self, static_configs: [{targets: ['%[1]s']}]}, {job_name: again, static_configs: [{targets: ['%[1]s']}]}]\n", far))
	p := spawn(t, exec.Command(prometheus, "--config.file="+theirs, "--storage.tsdb.path="+dir+"/prometheus", "--web.listen-address="+far))
	configured := write(t, dir, "baseliner.yml", fmt.Sprintf(`
global: {scrape_interval: 1s, evaluation_interval: 1s, evaluation_delay: 1s, external_labels: {cluster: eu1}}
engine: {remote: {url: 'http://%s', remote_write_url: 'http://%s/api/v1/write'}}
signals:
  - {name: up, layer: infrastructure, expr: 'up{job="self"}'}
  - {name: both, layer: infrastructure, expr: 'sum(up)'}
  - {name: samples, layer: application, ratio: {numerator: 'rate(prometheus_tsdb_head_samples_appended_total[5s])', denominator: 'vector(1)'}}
`, far, store))
	r := runInstanceOf(t, configured, dir+"/data")
	eventually(t, "the signal is evaluated there", 30*time.Second, func() error { return r.inState("up", 1, web.StateLearning) })
	twoReporters(t, r)
	them := &running{process: r.process, url: "http://" + store}
	eventually(t, "results are written back", 60*time.Second, func() error {
		if a := them.query(`baseliner_value{signal="up",cluster="eu1",layer="infrastructure"}`); len(a.Result) != 1 || a.Result[0].Value.value != 1 {
			return fmt.Errorf("it holds %v", a.Result)
		}
		if a := them.query(`count({__name__=~"baseliner_tick|baseliner_missing|up"})`); len(a.Result) != 0 {
			t.Errorf("more than results is written back: %v", a.Result)
		}
		return nil
	})
	p.kill()
	eventually(t, "its silence is noticed", 30*time.Second, func() error {
		if r.signals()["up"].Error == "" {
			return errors.New("no error is shown")
		}
		return nil
	})
	r.stop()
}

// The same on a real VictoriaMetrics that scrapes itself.
func TestRemoteEngineIsVictoriaMetrics(t *testing.T) {
	t.Parallel()
	victoria := peer(t, "apt-get install victoria-metrics", "victoria-metrics", "victoria-metrics-prod")
	dir := t.TempDir()
	far := freeAddress(t)
	scrape := write(t, dir, "scrape.yml", fmt.Sprintf("global: {scrape_interval: 1s}\nscrape_configs: [{job_name: self, static_configs: [{targets: ['%[1]s']}]}, {job_name: again, static_configs: [{targets: ['%[1]s']}]}]\n", far))
	p := spawn(t, exec.Command(victoria, "-storageDataPath="+dir+"/victoria", "-httpListenAddr="+far, "-promscrape.config="+scrape, "-search.latencyOffset=0s"))
	r := runInstanceOf(t, write(t, dir, "baseliner.yml", fmt.Sprintf(`
global: {scrape_interval: 1s, evaluation_interval: 2s, evaluation_delay: 2s}
engine: {remote: {url: 'http://%s'}}
signals:
  - {name: up, layer: infrastructure, expr: 'up{job="self"}'}
  - {name: both, layer: infrastructure, expr: 'sum(up)'}
  - {name: rows, layer: application, expr: 'sum(rate(vm_rows_inserted_total[10s]))'}
  - {name: nothing, layer: application, expr: 'sum(never_seen)'}
`, far)), dir+"/data")
	eventually(t, "signals are evaluated there", 60*time.Second, func() error {
		return errors.Join(r.inState("up", 1, web.StateLearning), r.inState("rows", 1, web.StateLearning))
	})
	twoReporters(t, r)
	if s := r.signals()["nothing"]; len(s.Series) != 0 || s.Error != "" {
		t.Errorf("of what nobody has: %+v", s)
	}
	p.kill()
	eventually(t, "its silence is noticed", 30*time.Second, func() error {
		if r.signals()["up"].Error == "" {
			return errors.New("no error is shown")
		}
		return nil
	})
}

// twoReporters wants the server to be asked who stands behind a sum.
func twoReporters(t *testing.T, r *running) {
	t.Helper()
	eventually(t, "two stand behind the sum", 30*time.Second, func() error {
		if a := r.query(`baseliner_reporters{signal="both"}`); len(a.Result) != 1 || a.Result[0].Value.value != 2 {
			return fmt.Errorf("it holds %v", a.Result)
		}
		return nil
	})
}
