package webhook_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/baseliner/baseliner/pkg/alert/webhook"
)

// TestSignatureOfTheSpecification is the example of the Standard Webhooks specification's own libraries.
func TestSignatureOfTheSpecification(t *testing.T) {
	key := "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte("whsec_"+key+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	keys, err := webhook.ReadSecrets(path)
	if err != nil || len(keys) != 1 {
		t.Fatal(len(keys), err)
	}
	m := hmac.New(sha256.New, keys[0])
	m.Write([]byte(`msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{"test": 2432232314}`))
	if got, want := base64.StdEncoding.EncodeToString(m.Sum(nil)), "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestSignedMessages(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	keys := []string{"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "C2FVsBQIhrscChlQIMV+b5sSYspob7oD"}
	if err := os.WriteFile(path, []byte("whsec_"+keys[0]+"\nwhsec_"+keys[1]), 0o600); err != nil {
		t.Fatal(err)
	}
	var header http.Header
	var body string
	url := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		header, body = r.Header, string(b)
	})
	if f := post(t, url, func(o *webhook.SenderOptions) { o.SecretFile = path }); f != nil {
		t.Fatal(f)
	}
	sent, err := strconv.ParseInt(header.Get("webhook-timestamp"), 10, 64)
	if err != nil || time.Since(time.Unix(sent, 0)) > time.Minute {
		t.Errorf("timestamp %q", header.Get("webhook-timestamp"))
	}
	signatures := strings.Fields(header.Get("webhook-signature"))
	if len(signatures) != len(keys) {
		t.Fatalf("signatures %q", signatures)
	}
	for i, k := range keys {
		raw, _ := base64.StdEncoding.DecodeString(k)
		m := hmac.New(sha256.New, raw)
		fmt.Fprintf(m, "%s.%s.%s", header.Get("webhook-id"), header.Get("webhook-timestamp"), body)
		if want := "v1," + base64.StdEncoding.EncodeToString(m.Sum(nil)); signatures[i] != want {
			t.Errorf("signature %s, want %s", signatures[i], want)
		}
	}
	if f := post(t, url); f != nil || header.Get("webhook-signature") != "" || header.Get("webhook-id") != "msg_1" {
		t.Errorf("without a secret: %v %v", f, header)
	}
}

func TestSecretsThatAreNone(t *testing.T) {
	for _, text := range []string{"", "hunter2hunter2hunter2hunter2", "whsec_hunter2!", "whsec_aHVudGVyMg=="} {
		path := filepath.Join(t.TempDir(), "secret")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := webhook.ReadSecrets(path); err == nil || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "aHVud") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestConnectionsAreCapped lets forty posts come at once to a receiver that is slow and drops every fifth connection.
func TestConnectionsAreCapped(t *testing.T) {
	const most = 4
	var mu sync.Mutex
	open, peak, n := 0, 0, 0
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		n++
		drop := n%5 == 0
		mu.Unlock()
		time.Sleep(5 * time.Millisecond)
		if drop {
			conn, _, _ := http.NewResponseController(w).Hijack()
			_ = conn.Close()
		}
	}))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		mu.Lock()
		defer mu.Unlock()
		switch s {
		case http.StateNew:
			open++
			peak = max(peak, open)
		case http.StateClosed, http.StateHijacked:
			open--
		case http.StateActive, http.StateIdle:
		}
	}
	server.Start()
	defer server.Close()
	s, err := webhook.NewSender("r", webhook.SenderOptions{URL: server.URL, Connections: most})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	failed := 0
	for range 40 {
		wg.Go(func() {
			for range 5 {
				if err := s.Send(t.Context(), "msg_1", []byte("{}")); err != nil {
					mu.Lock()
					failed++
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	mu.Lock()
	defer mu.Unlock()
	if peak > most+1 { // the server may hear of an end after the next begin
		t.Errorf("%d connections at once, want at most %d", peak, most)
	}
	if failed == 0 || failed > 80 {
		t.Errorf("%d of 200 failed", failed)
	}
	t.Logf("200 posts over at most %d connections at once", peak)
}
