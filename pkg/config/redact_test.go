package config

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// TestSecrets looks for the secrets of a configuration wherever it may be printed.
func TestSecrets(t *testing.T) {
	cfg := loadFull(t)
	hook := cfg.Alerting.Receivers[0].Webhooks[0]
	asJSON, err := json.Marshal(hook)
	if err != nil {
		t.Fatal(err)
	}
	asYAML, err := yaml.Marshal(struct{ URL Secret }{hook.URL})
	if err != nil {
		t.Fatal(err)
	}
	inline, err := loadString(`
alerting:
  route: {receiver: a}
  receivers: [{name: a, webhook_configs: [{url: 'https://h.example/T0PS3CRET', basic_auth: {username: u, password: hunter2hunter2}}]}]
scrape_configs:
  - {job_name: a, bearer_token: T0PS3CRET, params: {token: [T0PS3CRET]}, http_sd_configs: [{url: 'http://u:hunter2hunter2@sd.example'}]}
`)
	if err != nil {
		t.Fatal(err)
	}
	for what, text := range map[string]string{
		"%v": fmt.Sprintf("%v %+v", hook, hook), "%#v": fmt.Sprintf("%#v", hook), "%s %q %x": fmt.Sprintf("%s %q %x", hook.URL, hook.URL, hook.URL),
		"json": string(asJSON), "yaml": string(asYAML), "log": hook.URL.LogValue().String(),
		"config": cfg.String(), "inline": inline.String(), "inline %v": fmt.Sprintf("%+v", inline.Alerting.Receivers[0].Webhooks[0].URL),
	} {
		for _, secret := range []string{"T0PS3CRET", "hunter2", fmt.Sprintf("%x", "T0PS3CRET")} {
			if strings.Contains(text, secret) {
				t.Errorf("%s shows %s: %s", what, secret, text)
			}
		}
	}
	if !strings.Contains(inline.String(), redacted) || !strings.Contains(cfg.String(), "timezone: Europe/Berlin") {
		t.Errorf("configuration is not shown:\n%s", inline)
	}
	equal(t, "no secret", Secret("").String(), "")

	// Each of these is wrong in a way that makes somebody quote the value.
	for _, text := range []string{
		"alerting: {route: {receiver: a}, receivers: [{name: a, webhook_configs: [{url: 'https://u:hunter2hunter2@%zz'}]}]}",
		"alerting: {route: {receiver: a}, receivers: [{name: a, webhook_configs: [{url: 'hunter2hunter2'}]}]}",
		"alerting: {route: {receiver: a}, receivers: [{name: a, webhook_configs: [{url: 'http://a', basic_auth: hunter2hunter2}]}]}",
		"alerting: {route: {receiver: a}, receivers: [{name: a, webhook_configs: [{url: 'http://a', proxy_url: 'http://u:hunter2hunter2@a:b:c'}]}]}",
		"alerting: {route: {receiver: a}, receivers: [{name: a, webhook_configs: [{url: 'http://a', authorization: {credentials: [hunter2hunter2]}}]}]}",
		"scrape_configs: [{job_name: a, authorization: hunter2hunter2}]",
		"scrape_configs: [{job_name: a, oauth2: {client_secret: {a: hunter2hunter2}}}]",
		"scrape_configs: [{job_name: a, http_sd_configs: [{url: 'http://u:hunter2hunter2@%zz'}]}]",
		"engine: {remote: {url: 'hunter2hunter2'}}",
		"tracing: {endpoint: a, headers: [hunter2hunter2]}",
	} {
		_, err := loadString(text)
		if err == nil {
			t.Errorf("loaded %s", text)
		} else if strings.Contains(err.Error(), "hunter2") || strings.Contains(fmt.Sprintf("%#v", err), "hunter2") {
			t.Errorf("error shows a secret: %v", err)
		}
	}
}
