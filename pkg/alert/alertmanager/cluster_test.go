package alertmanager

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/model/relabel"
	"go.yaml.in/yaml/v2"

	"github.com/baseliner/baseliner/pkg/alert"
)

// ear is a receiver of an Alertmanager's notifications.
type ear struct {
	url string
	mu  sync.Mutex
	all []string
}

func newEar(t *testing.T) *ear {
	t.Helper()
	e := &ear{}
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		m := decodeMessage(t, string(b))
		line := ""
		for _, a := range m.Alerts {
			line += a.Status + " " + a.Labels["pod"] + " "
		}
		e.mu.Lock()
		defer e.mu.Unlock()
		e.all = append(e.all, line)
	}))
	t.Cleanup(s.Close)
	e.url = s.URL
	return e
}

func (e *ear) heard() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.all)
}

func (e *ear) config(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "alertmanager.yml")
	text := "route: {receiver: r, group_by: [alertname], group_wait: 1s, group_interval: 1s, repeat_interval: 1h}\nreceivers: [{name: r, webhook_configs: [{url: '" + e.url + "'}]}]\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// replica is a fan-out of one of two baseliners, whose label replica is not to be seen.
func replica(t *testing.T, addresses ...string) *Fanout {
	t.Helper()
	f := New(Options{Agent: "baseliner/test"})
	text := ""
	for _, a := range addresses {
		text += fmt.Sprintf("'%s', ", a)
	}
	var cs config.AlertmanagerConfigs
	if err := yaml.UnmarshalStrict([]byte("[{static_configs: [{targets: ["+text+"]}]}]"), &cs); err != nil {
		t.Fatal(err)
	}
	var rules []*relabel.Config
	if err := yaml.UnmarshalStrict([]byte("[{regex: replica, action: labeldrop}]"), &rules); err != nil {
		t.Fatal(err)
	}
	p, err := NewPlan(cs, rules, nil)
	if err != nil {
		t.Fatal(err)
	}
	f.Apply(p)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- f.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return f
}

func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// TestClusterDeduplication lets two replicas of baseliner tell a cluster of two Alertmanagers: their receiver hears
// everything once, and the same as that of a single Alertmanager which one replica tells (TestClusterVSInstance).
func TestClusterDeduplication(t *testing.T) {
	if testing.Short() {
		t.Skip("builds an Alertmanager")
	}
	program := realAlertmanager(t)
	cluster, single := newEar(t), newEar(t)
	shared, gossip := cluster.config(t), free(t)
	timing := []string{"--cluster.peer-timeout=4s", "--cluster.settle-timeout=1s", "--cluster.gossip-interval=100ms"}
	a := newMember(t, program, shared, append(timing, "--cluster.listen-address="+gossip)...)
	b := newMember(t, program, shared, append(timing, "--cluster.listen-address="+free(t), "--cluster.peer="+gossip)...)
	one := newMember(t, program, single.config(t))
	a.wait(t, func() error {
		var s struct{ Cluster struct{ Peers []any } }
		if err := b.get("/api/v2/status", &s); err != nil {
			return err
		}
		if len(s.Cluster.Peers) != 2 {
			return fmt.Errorf("%d peers", len(s.Cluster.Peers))
		}
		return nil
	})

	replicas := []*Fanout{replica(t, a.address, b.address), replica(t, a.address, b.address), replica(t, one.address)}
	tell := func(es ...alert.Episode) {
		for i, f := range replicas {
			for _, e := range es {
				labels := map[string]string{"replica": fmt.Sprint(i)}
				for n, v := range e.Labels {
					if n != "replica" {
						labels[n] = v
					}
				}
				e.Labels = labels
				e.Fingerprint = alert.Fingerprint(labels)
				f.Put([]alert.Episode{e})
			}
		}
	}
	began := time.Now()
	x := episode("x", began)
	tell(x)
	heard := func(e *ear, n int) func() error {
		return func() error {
			if got := e.heard(); len(got) < n {
				return fmt.Errorf("heard %q", got)
			}
			return nil
		}
	}
	a.wait(t, heard(cluster, 1))
	one.wait(t, heard(single, 1))
	time.Sleep(7 * time.Second) // the second of the cluster would have told by now
	x.Firing, x.EndsAt = false, time.Now().UnixMilli()
	tell(x)
	a.wait(t, heard(cluster, 2))
	one.wait(t, heard(single, 2))
	time.Sleep(7 * time.Second)
	want(t, "the cluster's receiver", cluster.heard(), "firing x ", "resolved x ")
	want(t, "the single one's receiver", single.heard(), cluster.heard()...)
}
