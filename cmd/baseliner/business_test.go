package main

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// Events count once, whoever dies.
func TestBusinessEvents(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "token", "hush")
	configured := write(t, dir, "baseliner.yml", "global: {scrape_interval: 1s}\ningest: {business: {enabled: true, token_file: token}}\n")
	r := runInstanceOf(t, configured, dir+"/data")
	send := func(token string, lines ...string) (int, string) {
		t.Helper()
		req, err := http.NewRequest(http.MethodPost, r.url+"/api/baseliner/v1/business", strings.NewReader(strings.Join(lines, "\n")))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		return r.read(resp)
	}
	if code, body := send("wrong", `{"type":"event","name":"orders_total"}`); code != http.StatusUnauthorized {
		t.Errorf("answer %d %s", code, body)
	}
	orders := []string{`{"type":"event","name":"orders_total","id":"1"}`, `{"type":"event","name":"orders_total","id":"2","value":3}`}
	if code, body := send("hush", orders...); code != http.StatusOK || !strings.Contains(body, `"events":2`) {
		t.Errorf("answer %d %s", code, body)
	}
	r.kill()
	r = runInstanceOf(t, configured, dir+"/data")
	if code, body := send("hush", append(orders, `{"type":"event","name":"orders_total","id":"3"}`)...); code != http.StatusOK || !strings.Contains(body, `"repeated":2`) {
		t.Errorf("answer %d %s", code, body)
	}
	time.Sleep(2200 * time.Millisecond) // written between events, too
	if a := r.query("orders_total"); len(a.Result) != 1 || a.Result[0].Value.value != 5 {
		t.Errorf("orders_total is %v, want 5", a.Result)
	}
	if a := r.query("count_over_time(orders_total[10s]) >= bool 4"); len(a.Result) != 1 || a.Result[0].Value.value != 1 {
		t.Errorf("between events nothing is written: %v", r.query("orders_total[10s]"))
	}
	if a := r.query("increase(orders_total[2m]) > bool 4"); len(a.Result) != 1 || a.Result[0].Value.value != 1 {
		t.Errorf("increase: %v", r.query("increase(orders_total[2m])"))
	}
}
