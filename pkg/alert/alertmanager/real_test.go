package alertmanager

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	amconfig "github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/dispatch"
	amwebhook "github.com/prometheus/alertmanager/notify/webhook"
	"github.com/prometheus/prometheus/config"
	"go.yaml.in/yaml/v2"

	"github.com/baseliner/baseliner/pkg/alert"
	"github.com/baseliner/baseliner/pkg/alert/webhook"
)

// realAlertmanager builds the program that tools/alertmanager pins.
func realAlertmanager(t *testing.T) string {
	t.Helper()
	built.Do(func() {
		built.path = filepath.Join(built.dir, "alertmanager")
		build := exec.Command("go", "build", "-modfile=../../../tools/alertmanager/go.mod", "-o", built.path, "github.com/prometheus/alertmanager/cmd/alertmanager")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			built.err = fmt.Errorf("build Alertmanager: %w\n%s", err, out)
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return built.path
}

// built is the program, built once.
var built struct {
	sync.Once
	dir, path string
	err       error
}

func TestMain(m *testing.M) {
	var err error
	if built.dir, err = os.MkdirTemp("", "baseliner-test-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	status := m.Run()
	_ = os.RemoveAll(built.dir) // of the system's temporary files
	os.Exit(status)
}

// member is an Alertmanager that a test may kill.
type member struct {
	address string
	start   func()
	kill    func()
}

// newMember starts one; it joins the cluster of others when there are any.
func newMember(t *testing.T, program, configFile string, flags ...string) *member {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &member{address: l.Addr().String()}
	_ = l.Close()
	dir := t.TempDir()
	m.start = func() {
		args := []string{"--config.file=" + configFile, "--storage.path=" + dir, "--web.listen-address=" + m.address}
		if len(flags) == 0 {
			flags = []string{"--cluster.listen-address="}
		}
		cmd := exec.Command(program, append(args, flags...)...)
		var log strings.Builder
		cmd.Stderr = &log
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		m.kill = sync.OnceFunc(func() {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			if t.Failed() {
				t.Log(log.String())
			}
		})
		m.wait(t, func() error { return m.get("/-/ready", nil) })
	}
	m.start()
	t.Cleanup(func() { m.kill() })
	return m
}

func (m *member) get(path string, into any) error {
	resp, err := http.Get("http://" + m.address + path)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}
	if into == nil {
		return nil
	}
	return json.NewDecoder(resp.Body).Decode(into)
}

// firing lists the pods that the member knows to fire.
func (m *member) firing() (pods []string, err error) {
	var as []struct {
		Labels map[string]string
		Status struct{ State string }
	}
	if err := m.get("/api/v2/alerts?active=true", &as); err != nil {
		return nil, err
	}
	for _, a := range as {
		pods = append(pods, a.Labels["pod"])
	}
	slices.Sort(pods)
	return pods, nil
}

func (m *member) wait(t *testing.T, ok func() error) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		err := ok()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (m *member) knows(pods ...string) func() error {
	return func() error {
		got, err := m.firing()
		if err == nil && !slices.Equal(got, pods) {
			err = fmt.Errorf("%s knows %q, want %q", m.address, got, pods)
		}
		return err
	}
}

// TestRealAlertmanagers tells three of them, kills one and starts it again without its memory, reads a silence back, and
// compares the notification that Alertmanager itself makes of our alerts with ours, field by field.
func TestRealAlertmanagers(t *testing.T) {
	if testing.Short() {
		t.Skip("builds an Alertmanager")
	}
	program := realAlertmanager(t)
	bodies := make(chan string, 100)
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		bodies <- string(b)
	}))
	defer hook.Close()
	const tree = `{receiver: team, group_by: [alertname], group_wait: 1s, group_interval: 1s, repeat_interval: 1h}`
	configure := func(url string) string {
		path := filepath.Join(t.TempDir(), "alertmanager.yml")
		text := "route: " + tree + "\nreceivers: [{name: team, webhook_configs: [{url: '" + url + "'}]}]\n"
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	silent := configure(hook.URL + "/silent")
	hook.Config.Handler = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		if r.URL.Path == "/" {
			bodies <- string(b)
		}
	})
	ms := []*member{newMember(t, program, configure(hook.URL)), newMember(t, program, silent), newMember(t, program, silent)}

	var mu sync.Mutex
	var silences []alert.Silence
	f := New(Options{Agent: "baseliner/test", Silences: func(ss []alert.Silence, _ map[string]bool) {
		mu.Lock()
		defer mu.Unlock()
		silences = ss
	}})
	var cs config.AlertmanagerConfigs
	text := fmt.Sprintf("[{static_configs: [{targets: ['%s', '%s', '%s']}]}]", ms[0].address, ms[1].address, ms[2].address)
	if err := yaml.UnmarshalStrict([]byte(text), &cs); err != nil {
		t.Fatal(err)
	}
	p, err := NewPlan(cs, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	f.Apply(p)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- f.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()

	began := time.Now()
	x, y := episode("x", began), episode("y", began)
	y.Annotations = map[string]string{"summary": `<b>&"hostile" {{ .Secret }}`}
	bad := episode("bad", began)
	bad.GeneratorURL = "::no address::" // would cost the whole post
	f.Put([]alert.Episode{x, y, bad})
	for _, m := range ms {
		m.wait(t, m.knows("bad", "x", "y"))
	}

	theirs := decodeMessage(t, <-bodies)
	n := alert.Notification{Receiver: "team", GroupKey: dispatch.NewRoute(route(t, tree), nil).Key() + `:{alertname="X"}`, Reason: alert.ReasonFirst, GroupLabels: map[string]string{"alertname": "X"}, Alerts: []alert.Episode{bad, x, y}}
	n.Alerts[0].GeneratorURL = ""
	body, _, err := webhook.Encode(&n, webhook.PayloadOptions{ExternalURL: theirs.ExternalURL, SendResolved: true})
	if err != nil {
		t.Fatal(err)
	}
	ours := decodeMessage(t, string(body))
	ours.NotificationReason, ours.RouteLabels = "", nil // newer than this Alertmanager
	if !reflect.DeepEqual(ours, theirs) {
		a, _ := json.MarshalIndent(ours, "", " ")
		b, _ := json.MarshalIndent(theirs, "", " ")
		t.Errorf("ours\n%s\nAlertmanager's\n%s", a, b)
	}

	ms[1].kill()
	z := episode("z", time.Now())
	f.Put([]alert.Episode{z})
	ms[2].wait(t, ms[2].knows("bad", "x", "y", "z"))
	ms[1].start() // it forgot everything
	ms[1].wait(t, ms[1].knows("bad", "x", "y", "z"))

	x.Firing, x.EndsAt = false, time.Now().UnixMilli()
	f.Put([]alert.Episode{x})
	for _, m := range ms {
		m.wait(t, m.knows("bad", "y", "z"))
	}

	silence := fmt.Sprintf(`{"matchers":[{"name":"pod","value":"y|z","isRegex":true,"isEqual":true}],"startsAt":"%s","endsAt":"%s","createdBy":"me","comment":"c"}`,
		time.Now().UTC().Format(time.RFC3339), time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	for _, m := range ms { // they are no cluster here
		resp, err := http.Post("http://"+m.address+"/api/v2/silences", "application/json", strings.NewReader(silence))
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
	}
	ms[0].wait(t, func() error {
		mu.Lock()
		defer mu.Unlock()
		if len(silences) != 1 || silences[0].Compile() != nil {
			return fmt.Errorf("silences: %+v", silences)
		}
		q := alert.Quiet{Silences: silences}
		now := time.Now().UnixMilli()
		if by := q.By(map[string]string{"pod": "z"}, now); by != "Alertmanager silence "+silences[0].ID {
			return fmt.Errorf("z is silenced by %q", by)
		}
		if by := q.By(map[string]string{"pod": "zz"}, now); by != "" {
			return fmt.Errorf("zz is silenced by %q", by)
		}
		return nil
	})
}

func route(t *testing.T, text string) *amconfig.Route {
	t.Helper()
	r := &amconfig.Route{}
	if err := yaml.UnmarshalStrict([]byte(text), r); err != nil {
		t.Fatal(err)
	}
	return r
}

func decodeMessage(t *testing.T, body string) amwebhook.Message {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(body))
	d.DisallowUnknownFields()
	var m amwebhook.Message
	if err := d.Decode(&m); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return m
}
