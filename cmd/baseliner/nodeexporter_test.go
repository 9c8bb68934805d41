package main

import (
	"errors"
	"fmt"
	"os/exec"
	"testing"
	"time"
)

// A real node exporter is scraped.
func TestRealNodeExporter(t *testing.T) {
	t.Parallel()
	exporter := peer(t, "apt-get install prometheus-node-exporter", "prometheus-node-exporter", "node_exporter")
	dir := t.TempDir()
	address := freeAddress(t)
	spawn(t, exec.Command(exporter, "--web.listen-address="+address, "--collector.disable-defaults", "--collector.cpu", "--collector.meminfo", "--collector.loadavg"))
	r := runInstanceOf(t, write(t, dir, "baseliner.yml", fmt.Sprintf(
		"global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs: [{job_name: node, static_configs: [{targets: ['%s']}]}]\n", address)), dir+"/data")
	eventually(t, "it is scraped", 30*time.Second, func() error {
		if a := r.query(`count(rate(node_cpu_seconds_total{job="node",mode="idle"}[5s]))`); len(a.Result) != 1 || a.Result[0].Value.value < 1 {
			return errors.New("no CPU is known")
		}
		return nil
	})
	if a := r.query("node_memory_MemTotal_bytes"); len(a.Result) != 1 || a.Result[0].Value.value < 1e6 {
		t.Errorf("memory: %v", a.Result)
	}
}
