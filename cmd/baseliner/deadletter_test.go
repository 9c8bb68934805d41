package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/baseliner/baseliner/pkg/web"
)

// hook is a receiver that answers what it is told to.
type hook struct {
	url    string
	status atomic.Int64

	mu    sync.Mutex
	ids   []string
	times []time.Time
	last  string // body
}

func newHook(t *testing.T, status int) *hook {
	t.Helper()
	h := &hook{}
	h.status.Store(int64(status))
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		h.mu.Lock()
		defer h.mu.Unlock()
		h.ids, h.times, h.last = append(h.ids, r.Header.Get("webhook-id")), append(h.times, time.Now()), string(body)
		w.WriteHeader(int(h.status.Load()))
	}))
	t.Cleanup(s.Close)
	h.url = s.URL
	return h
}

func (h *hook) posts() (ids []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append(ids, h.ids...)
}

// TestDeadLetters lets a receiver refuse an alert for good: the other receiver hears of it, the commands show, replay and
// drop what was refused, running and stopped.
func TestDeadLetters(t *testing.T) {
	t.Parallel()
	target := newShop(1)
	page := httptest.NewServer(target)
	defer page.Close()
	broken, pager := newHook(t, http.StatusGone), newReceiver(t)
	dir := t.TempDir()
	const signing = "aHVudGVyMmh1bnRlcjJodW50ZXIyaHVudGVyMg=="
	write(t, dir, "hook.secret", "whsec_"+signing)
	cfg := write(t, dir, "baseliner.yml", fmt.Sprintf(`
global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s, evaluation_delay: 1s, timezone: %s}
scrape_configs:
  - job_name: shop
    static_configs: [{targets: ['%s']}]
signals:
  - {name: sessions, layer: business, expr: sum(shop_sessions), min_change: {relative: 50%%}}
alerting:
  route: {receiver: broken, group_wait: 1s, group_interval: 1s}
  receivers:
    - name: broken
      webhook_configs:
        - {url: '%s/T0KEN-hunter2hunter2', secret_file: hook.secret, basic_auth: {username: me, password: secret-hunter2}}
    - {name: pager, webhook_configs: [{url: '%s'}]}
`, shopZone, page.Listener.Addr(), broken.url, pager.url))
	storage := dir + "/data"
	must(t, "backfill", "--from="+pastOf(t, 3, 10*time.Minute, "sessions"), "--config.file="+cfg, "--storage.path="+storage)
	in := runInstanceOf(t, cfg, storage, "--web.enable-admin-api")
	eventually(t, "the signal is known and quiet", 30*time.Second, func() error { return in.inState("sessions", 1, web.StateOK) })
	target.breaks(4)
	meta := func(status string) error {
		for _, m := range pager.heard() {
			for _, a := range m.Alerts {
				if a.Labels["alertname"] == "BaselinerDeadLetters" && a.Labels["receiver"] == "broken" && a.Status == status {
					return nil
				}
			}
		}
		return fmt.Errorf("the other receiver has not heard of it: %v", pager.heard())
	}
	eventually(t, "the other receiver hears of the dead letters", 30*time.Second, func() error { return meta("firing") })

	var ls []letterView
	in.data(&ls, "/api/baseliner/v1/dead_letters")
	if len(ls) != 1 || ls[0].Receiver != "broken" || ls[0].LastStatus != 410 || ls[0].Status != "firing" {
		t.Fatalf("%+v", ls)
	}
	id := ls[0].ID
	table := must(t, "dlq", "list", "--url="+in.url, "--receiver=broken")
	if !strings.Contains(table, id) || strings.Contains(table, "hunter2") {
		t.Errorf("listed:\n%s", table)
	}
	if shown := must(t, "dlq", "show", "--url="+in.url, "--id="+id); !strings.Contains(shown, `"version": "4"`) || strings.Contains(shown, "hunter2") {
		t.Errorf("shown:\n%s", shown)
	}
	if status, _, stderr := command(t, "dlq", "list", "--storage.path="+storage); status == 0 || !strings.Contains(stderr, "use --url") {
		t.Errorf("a running instance's directory: %d %s", status, stderr)
	}

	for _, page := range []string{"/metrics", "/api/v1/status/config", "/api/baseliner/v1/dead_letters", "/api/baseliner/v1/dead_letters/" + id, "/", "/api/v1/alerts"} {
		if _, body := in.get(page); strings.Contains(body, "hunter2") || strings.Contains(body, signing) {
			t.Errorf("%s shows a secret:\n%s", page, body)
		}
	}
	broken.status.Store(200)
	if err := in.cmd.Process.Signal(syscall.SIGHUP); err != nil { // who said 410 is asked again after a reload
		t.Fatal(err)
	}
	eventually(t, "what was refused is accepted under its own id", 20*time.Second, func() error {
		posts := broken.posts()
		if status, _, stderr := command(t, "dlq", "replay", "--url="+in.url, "--id="+id); status != 0 && len(posts) < 2 {
			return fmt.Errorf("replay: %s", stderr)
		}
		if len(posts) < 2 || posts[0] != id || posts[len(posts)-1] != id {
			return fmt.Errorf("posted %v, want %s again", posts, id)
		}
		return nil
	})
	eventually(t, "the other receiver hears that it is over", 20*time.Second, func() error { return meta("resolved") })

	broken.status.Store(http.StatusGone)
	target.breaks(1)
	eventually(t, "the end is a dead letter", 30*time.Second, func() error {
		if in.data(&ls, "/api/baseliner/v1/dead_letters"); len(ls) == 0 {
			return fmt.Errorf("there are none")
		}
		return nil
	})
	in.stop()
	if log := in.stdout.String() + in.stderr.String(); strings.Contains(log, "hunter2") || strings.Contains(log, signing) {
		t.Errorf("the log shows a secret:\n%s", log)
	}
	if table := must(t, "dlq", "list", "--storage.path="+storage); !strings.Contains(table, ls[0].ID) {
		t.Errorf("listed:\n%s", table)
	}
	must(t, "dlq", "replay", "--storage.path="+storage, "--id="+ls[0].ID)
	if table := must(t, "dlq", "list", "--storage.path="+storage, "--format=json"); strings.Contains(table, ls[0].ID) {
		t.Errorf("still listed:\n%s", table)
	}
	broken.status.Store(200)
	in = runInstanceOf(t, cfg, storage)
	eventually(t, "what was replayed while stopped is delivered", 20*time.Second, func() error {
		if posts := broken.posts(); posts[len(posts)-1] != ls[0].ID {
			return fmt.Errorf("posted %v", posts)
		}
		return nil
	})
	if status, _, stderr := command(t, "dlq", "drop", "--url="+in.url, "--id="+id); status == 0 || !strings.Contains(stderr, "admin API is not enabled") {
		t.Errorf("dropped without being allowed to: %d %s", status, stderr)
	}
	in.stop()
}
