package alertmanager

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/prometheus/prometheus/config"
	_ "github.com/prometheus/prometheus/discovery/dns"        // registers
	_ "github.com/prometheus/prometheus/discovery/kubernetes" // registers
	"go.yaml.in/yaml/v2"
	"golang.org/x/sys/unix"

	"github.com/baseliner/baseliner/pkg/alert"
)

// listener is an Alertmanager that only counts what it is told, by pod.
type listener struct {
	*httptest.Server
	mu    sync.Mutex
	heard map[string]int
}

func newListener(t *testing.T) *listener {
	t.Helper()
	l := &listener{heard: map[string]int{}}
	l.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet { // silences
			fmt.Fprint(w, "[]")
			return
		}
		var as []struct{ Labels map[string]string }
		if err := json.NewDecoder(r.Body).Decode(&as); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		for _, a := range as {
			l.heard[a.Labels["pod"]]++
		}
	}))
	t.Cleanup(l.Close)
	return l
}

func (l *listener) port() int { return l.Listener.Addr().(*net.TCPAddr).Port }

func (l *listener) knows(pods ...string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range pods {
		if l.heard[p] == 0 {
			return fmt.Errorf("%s is not known, only %v", p, l.heard)
		}
	}
	return nil
}

func soon(t *testing.T, what string, f func() error) {
	t.Helper()
	var err error
	for range 400 {
		if err = f(); err == nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("%s: %v", what, err)
}

// discovered runs a fan-out whose peers a configuration finds.
func discovered(t *testing.T, text string) *Fanout {
	t.Helper()
	var cs config.AlertmanagerConfigs
	if err := yaml.UnmarshalStrict([]byte(text), &cs); err != nil {
		t.Fatal(err)
	}
	plan, err := NewPlan(cs, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	f := New(Options{Agent: "baseliner/test"})
	f.Apply(plan)
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

func firingPod(pod string) alert.Episode {
	ls := map[string]string{"alertname": "X", "pod": pod}
	return alert.Episode{Fingerprint: alert.Fingerprint(ls), Transition: alert.Transition{Firing: true, Labels: ls, StartsAt: time.Now().UnixMilli()}}
}

// follows plays the story of every discovery: two peers are found and told, one of them goes and a third comes, which is
// told everything, and who is gone hears nothing more.
func follows(t *testing.T, config string, change func(ports ...int)) {
	t.Helper()
	a, b, c := newListener(t), newListener(t), newListener(t)
	change(a.port(), b.port())
	f := discovered(t, config)
	f.Put([]alert.Episode{firingPod("x")})
	soon(t, "the first is told", func() error { return a.knows("x") })
	soon(t, "the second is told", func() error { return b.knows("x") })
	change(a.port(), c.port())
	soon(t, "the third is told", func() error { return c.knows("x") })
	soon(t, "the second is given up", func() error {
		f.mu.Lock()
		defer f.mu.Unlock()
		if len(f.peers) != 2 {
			return fmt.Errorf("%d peers", len(f.peers))
		}
		return nil
	})
	f.Put([]alert.Episode{firingPod("y")})
	soon(t, "the first goes on", func() error { return a.knows("x", "y") })
	soon(t, "the third goes on", func() error { return c.knows("x", "y") })
	if b.knows("y") == nil {
		t.Error("who is gone was told")
	}
}

// insideNamespaces marks the process that TestPeersByDNS starts.
const insideNamespaces = "BASELINER_TEST_DNS"

// TestPeersByDNS asks a real DNS server for SRV records. Which server is asked stands in /etc/resolv.conf, on port 53: the test
// runs once more in a process with a network and a view of that file of its own, where the kernel allows it.
func TestPeersByDNS(t *testing.T) {
	if os.Getenv(insideNamespaces) == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestPeersByDNS$", "-test.v")
		cmd.Env = append(os.Environ(), insideNamespaces+"="+t.TempDir())
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS | syscall.CLONE_NEWNET,
			UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
		}
		out, err := cmd.CombinedOutput()
		if _, ended := errors.AsType[*exec.ExitError](err); err != nil && !ended {
			t.Skipf("needs namespaces, which this machine does not give: %v", err)
		}
		if strings.Contains(string(out), "--- SKIP") {
			t.Skipf("needs namespaces, which this machine does not give: %s", out)
		}
		if err != nil || !strings.Contains(string(out), "--- PASS: TestPeersByDNS") {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	resolver := filepath.Join(os.Getenv(insideNamespaces), "resolv.conf")
	if err := os.WriteFile(resolver, []byte("nameserver 127.0.0.1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""), unix.Mount(resolver, "/etc/resolv.conf", "", unix.MS_BIND, ""), loopback()); err != nil {
		t.Skip(err)
	}
	var mu sync.Mutex
	var ports []int
	server := &dns.Server{Addr: "127.0.0.1:53", Net: "udp", Handler: dns.HandlerFunc(func(w dns.ResponseWriter, r *dns.Msg) {
		m := new(dns.Msg)
		m.SetReply(r)
		header := dns.RR_Header{Name: r.Question[0].Name, Rrtype: r.Question[0].Qtype, Class: dns.ClassINET, Ttl: 1}
		mu.Lock()
		defer mu.Unlock()
		switch {
		case r.Question[0].Qtype == dns.TypeSRV && r.Question[0].Name == "_am._tcp.monitoring.example.":
			for _, p := range ports {
				m.Answer = append(m.Answer, &dns.SRV{Hdr: header, Port: uint16(p), Target: "am.monitoring.example."})
			}
		case r.Question[0].Qtype == dns.TypeA && r.Question[0].Name == "am.monitoring.example.":
			m.Answer = append(m.Answer, &dns.A{Hdr: header, A: net.IPv4(127, 0, 0, 1)})
		}
		_ = w.WriteMsg(m) // who asked asks again
	})}
	started := make(chan struct{})
	server.NotifyStartedFunc = func() { close(started) }
	stopped := make(chan error, 1)
	go func() { stopped <- server.ListenAndServe() }()
	select {
	case <-started:
	case err := <-stopped:
		t.Fatal(err)
	}
	defer func() { _ = server.Shutdown() }() // with the process
	follows(t, `[{dns_sd_configs: [{names: [_am._tcp.monitoring.example], type: SRV, refresh_interval: 1s}]}]`, func(now ...int) {
		mu.Lock()
		defer mu.Unlock()
		ports = now
	})
}

// loopback brings the loopback device of a fresh network up.
func loopback() error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	defer func() { _ = unix.Close(s) }() // only read from
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return fmt.Errorf("loopback: %w", err)
	}
	lo.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, lo); err != nil {
		return fmt.Errorf("bring loopback up: %w", err)
	}
	return nil
}

// kube is as much of a Kubernetes API as watching the endpoints of a namespace takes: lists, and watches that tell of
// changes.
type kube struct {
	mu      sync.Mutex
	version int
	ports   []int
	changed chan struct{}
}

func (k *kube) set(ports ...int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.version++
	k.ports = ports
	close(k.changed)
	k.changed = make(chan struct{})
}

// slice is the EndpointSlice of the Alertmanagers.
func (k *kube) slice() map[string]any {
	var endpoints []any
	var ports []any
	for i, p := range k.ports {
		ports = append(ports, map[string]any{"name": fmt.Sprint("web", i), "port": p, "protocol": "TCP"})
	}
	endpoints = append(endpoints, map[string]any{"addresses": []string{"127.0.0.1"}, "conditions": map[string]any{"ready": true}})
	return map[string]any{
		"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4", "endpoints": endpoints, "ports": ports,
		"metadata": map[string]any{
			"name": "alertmanager-1", "namespace": "monitoring", "resourceVersion": fmt.Sprint(k.version), "uid": "1",
			"labels": map[string]string{"kubernetes.io/service-name": "alertmanager"},
		},
	}
}

// ServeHTTP implements http.Handler.
func (k *kube) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	slices := strings.HasSuffix(r.URL.Path, "/namespaces/monitoring/endpointslices")
	if r.URL.Query().Get("sendInitialEvents") == "true" { // as servers of before 1.32 answer: list, then watch
		w.WriteHeader(http.StatusUnprocessableEntity)
		fmt.Fprint(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Invalid","code":422,"message":"sendInitialEvents is forbidden"}`)
		return
	}
	k.mu.Lock()
	version, changed := k.version, k.changed
	object := k.slice()
	k.mu.Unlock()
	if r.URL.Query().Get("watch") == "" {
		kind, group, items := "List", "v1", []any{}
		switch {
		case slices:
			kind, group, items = "EndpointSliceList", "discovery.k8s.io/v1", []any{object}
		case strings.HasSuffix(r.URL.Path, "/services"):
			kind = "ServiceList"
		case strings.HasSuffix(r.URL.Path, "/pods"):
			kind = "PodList"
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"kind": kind, "apiVersion": group, "metadata": map[string]any{"resourceVersion": fmt.Sprint(version)}, "items": items}) // to a test
		return
	}
	flush := http.NewResponseController(w)
	_ = flush.Flush()
	for {
		select {
		case <-r.Context().Done():
			return
		case <-changed:
		}
		k.mu.Lock()
		object, changed = k.slice(), k.changed
		k.mu.Unlock()
		if slices {
			_ = json.NewEncoder(w).Encode(map[string]any{"type": "MODIFIED", "object": object}) // to a test
			_ = flush.Flush()
		}
	}
}

// TestPeersByKubernetes follows the endpoints of a service through Kubernetes' own client and a server that speaks the API's
// lists and watches.
func TestPeersByKubernetes(t *testing.T) {
	k := &kube{changed: make(chan struct{})}
	api := httptest.NewServer(k)
	defer api.Close()
	defer api.CloseClientConnections() // watches do not end by themselves
	follows(t, fmt.Sprintf(`
- kubernetes_sd_configs: [{role: endpointslice, api_server: '%s', namespaces: {names: [monitoring]}}]
  relabel_configs:
  - {source_labels: [__meta_kubernetes_endpointslice_label_kubernetes_io_service_name], regex: alertmanager, action: keep}
`, api.URL), k.set)
}
