package main

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/baseliner/baseliner/pkg/web"
)

// TestSilence silences a signal before it breaks: nobody is told until the silence is expired.
func TestSilence(t *testing.T) {
	t.Parallel()
	target := newShop(1)
	page := httptest.NewServer(target)
	defer page.Close()
	pager := newReceiver(t)
	dir := t.TempDir()
	cfg := write(t, dir, "baseliner.yml", fmt.Sprintf(`
global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s, evaluation_delay: 1s, timezone: %s}
scrape_configs:
  - job_name: shop
    static_configs: [{targets: ['%s']}]
signals:
  - {name: sessions, layer: business, expr: sum(shop_sessions), min_change: {relative: 50%%}}
alerting:
  route: {receiver: pager, group_wait: 1s, group_interval: 1s}
  receivers: [{name: pager, webhook_configs: [{url: '%s'}]}]
`, shopZone, page.Listener.Addr(), pager.url))
	storage := dir + "/data"
	must(t, "backfill", "--from="+pastOf(t, 3, 10*time.Minute, "sessions"), "--config.file="+cfg, "--storage.path="+storage)
	id := strings.TrimSpace(must(t, "silence", "add", "--storage.path="+storage, `signal="sessions"`, "--comment=we know", "--author=me"))
	in := runInstanceOf(t, cfg, storage, "--web.enable-admin-api")
	if list := must(t, "silence", "list", "--url="+in.url); !strings.Contains(list, id) || !strings.Contains(list, "we know") || !strings.Contains(list, "active") {
		t.Errorf("listed:\n%s", list)
	}
	if status, _, stderr := command(t, "silence", "add", "--url="+in.url, `signal=~".*"`); status == 0 || !strings.Contains(stderr, "needs a matcher") {
		t.Errorf("everything is silenced: %d %s", status, stderr)
	}
	eventually(t, "the signal is known and quiet", 30*time.Second, func() error { return in.inState("sessions", 1, web.StateOK) })
	target.breaks(4)
	eventually(t, "the break is noticed", 30*time.Second, func() error { return in.inState("sessions", 1, web.StateFiring) })
	time.Sleep(4 * time.Second)
	if heard := pager.heard(); len(heard) > 0 {
		t.Errorf("told in silence: %v", heard)
	}
	must(t, "silence", "expire", "--url="+in.url, id)
	eventually(t, "it is told once the silence is over", 20*time.Second, func() error {
		if len(pager.heard()) == 0 {
			return fmt.Errorf("nothing was told")
		}
		return nil
	})
	if list := must(t, "silence", "list", "--url="+in.url); strings.Contains(list, id) {
		t.Errorf("listed:\n%s", list)
	}
	if status, _, stderr := command(t, "silence", "expire", "--url="+in.url, "nobody"); status == 0 || !strings.Contains(stderr, "no such silence") {
		t.Errorf("expired: %d %s", status, stderr)
	}
	in.stop()
}
