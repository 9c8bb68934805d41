package webhook_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	commonconfig "github.com/prometheus/common/config"

	"github.com/baseliner/baseliner/pkg/alert/webhook"
)

// secret is the part of an address that nobody may see.
const secret = "T0KEN-hunter2hunter2"

func serve(t *testing.T, f http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	return s.URL
}

// post sends a body to an address that carries the secret, and checks that no error shows it.
func post(t *testing.T, url string, change ...func(*webhook.SenderOptions)) *webhook.Failure {
	t.Helper()
	o := webhook.SenderOptions{URL: url + "/hooks/" + secret + "?key=" + secret, Agent: "baseliner/test", Timeout: 5 * time.Second}
	for _, c := range change {
		c(&o)
	}
	s, err := webhook.NewSender("r", o)
	if err != nil {
		t.Fatal(err)
	}
	err = s.Send(t.Context(), "msg_1", []byte(`{"version":"4"}`))
	if err == nil {
		return nil
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the error shows the secret: %s", err)
	}
	var f *webhook.Failure
	if !errors.As(err, &f) {
		t.Fatalf("%T is no failure: %v", err, err)
	}
	return f
}

func follow(o *webhook.SenderOptions) { o.HTTP.FollowRedirects = true }

func TestSend(t *testing.T) {
	var got string
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = fmt.Sprintf("%s %s %s %s", r.Method, r.Header.Get("Content-Type"), r.UserAgent(), body)
		w.WriteHeader(http.StatusNoContent)
	})
	if f := post(t, url); f != nil {
		t.Fatal(f)
	}
	if want := `POST application/json baseliner/test {"version":"4"}`; got != want {
		t.Errorf("the receiver saw %q, want %q", got, want)
	}
}

func TestAnswers(t *testing.T) {
	check := func(code int, class webhook.Class) {
		t.Helper()
		url := serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(code)
			fmt.Fprintf(w, "cannot %s %s of http://%s%s, %s", r.Method, r.URL.Path, r.Host, r.RequestURI, strings.Repeat("x", 10_000))
		})
		f := post(t, url)
		switch {
		case class == "":
			if f != nil {
				t.Errorf("%d: %v", code, f)
			}
		case f == nil:
			t.Errorf("%d: accepted", code)
		case f.Class != class || f.Status != code || f.RetryAfter != 0:
			t.Errorf("%d: %s, status %d, retry after %s", code, f.Class, f.Status, f.RetryAfter)
		case len(f.Error()) > 1000 || !strings.Contains(f.Error(), "cannot POST /hooks/<redacted>"):
			t.Errorf("%d: a text nobody can use: %s", code, f)
		}
	}
	check(200, "")
	check(202, "")
	check(299, "")
	check(302, webhook.ClassRedirect)
	check(400, webhook.ClassClient)
	check(401, webhook.ClassAuth)
	check(403, webhook.ClassAuth)
	check(404, webhook.ClassClient)
	check(410, webhook.ClassClient)
	check(429, webhook.ClassRateLimit)
	check(500, webhook.ClassServer)
	check(503, webhook.ClassServer)
}

func TestRetryAfter(t *testing.T) {
	check := func(header string, least, most time.Duration) {
		t.Helper()
		url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", header)
			w.WriteHeader(http.StatusTooManyRequests)
		})
		if f := post(t, url); f == nil || f.RetryAfter < least || f.RetryAfter > most {
			t.Errorf("Retry-After %q: %+v", header, f)
		}
	}
	date := func(d time.Duration) string { return time.Now().Add(d).UTC().Format(http.TimeFormat) }
	check("120", 2*time.Minute, 2*time.Minute)
	check(" 7 ", 7*time.Second, 7*time.Second)
	check("0", 0, 0)
	check("-5", 0, 0)
	check("31536000", time.Hour, time.Hour)
	check("99999999999999999999999", time.Hour, time.Hour)
	check(date(10*time.Minute), 9*time.Minute, 10*time.Minute)
	check(date(-10*time.Minute), 0, 0)
	check(date(1000*time.Hour), time.Hour, time.Hour)
	check("soon", 0, 0)
	check("NaN", 0, 0)
	check("", 0, 0)
}

func TestRedirects(t *testing.T) {
	check := func(code int, o func(*webhook.SenderOptions), arrives bool) {
		t.Helper()
		var posts, others atomic.Int32
		other := serve(t, func(_ http.ResponseWriter, r *http.Request) {
			if body, _ := io.ReadAll(r.Body); r.Method == http.MethodPost && string(body) == `{"version":"4"}` {
				posts.Add(1)
			} else {
				others.Add(1)
			}
		})
		url := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other+"/"+secret, code) })
		f := post(t, url, o)
		if arrived := posts.Load() == 1; arrived != arrives || others.Load() > 0 || (f == nil) != arrives {
			t.Errorf("%d: arrived %t, want %t; %d requests without the body; %v", code, arrived, arrives, others.Load(), f)
		}
		if f != nil && (f.Class != webhook.ClassRedirect || f.Status != code) {
			t.Errorf("%d: %s, status %d", code, f.Class, f.Status)
		}
	}
	stay := func(*webhook.SenderOptions) {}
	for _, code := range []int{301, 302, 303, 307, 308} {
		check(code, stay, false)
	}
	// Prometheus follows by default. A redirect that would drop the body is not followed to its empty success.
	if !commonconfig.DefaultHTTPClientConfig.FollowRedirects {
		t.Error("the default has changed")
	}
	check(301, follow, false)
	check(302, follow, false)
	check(303, follow, false)
	check(307, follow, true)
	check(308, follow, true)
}

func TestRedirectLoop(t *testing.T) {
	var requests atomic.Int32
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		http.Redirect(w, r, r.RequestURI, http.StatusTemporaryRedirect)
	})
	if f := post(t, url, follow); f == nil || f.Class != webhook.ClassRedirect || requests.Load() > 5 {
		t.Errorf("%v after %d requests", f, requests.Load())
	}
}

func TestTimeout(t *testing.T) {
	release := make(chan struct{})
	url := serve(t, func(http.ResponseWriter, *http.Request) { <-release })
	t.Cleanup(func() { close(release) }) // before the server waits for its handlers
	f := post(t, url, func(o *webhook.SenderOptions) { o.Timeout = 50 * time.Millisecond })
	if f == nil || f.Class != webhook.ClassTimeout || f.Status != 0 {
		t.Errorf("got %+v", f)
	}
}

func TestCanceled(t *testing.T) {
	s, err := webhook.NewSender("r", webhook.SenderOptions{URL: serve(t, func(http.ResponseWriter, *http.Request) {})})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var f *webhook.Failure
	if err := s.Send(ctx, "msg_1", nil); !errors.As(err, &f) || f.Class != webhook.ClassCanceled {
		t.Errorf("got %v", err)
	}
}

// TestEndlessAnswer wants neither a gigabyte in memory nor the time to read it.
func TestEndlessAnswer(t *testing.T) {
	var written atomic.Int64
	for _, code := range []int{200, 500} {
		url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(code)
			block := make([]byte, 1<<20)
			for range 1 << 10 {
				n, err := w.Write(block)
				written.Add(int64(n))
				if err != nil {
					return
				}
			}
		})
		f := post(t, url)
		if (f == nil) != (code == 200) {
			t.Errorf("%d: %v", code, f)
		}
		if n := written.Swap(0); n > 64<<20 {
			t.Errorf("%d: %d MiB were taken off the receiver", code, n>>20)
		}
	}
}

func TestNoReceiver(t *testing.T) {
	s := httptest.NewServer(nil)
	s.Close()
	check := func(url string) {
		t.Helper()
		if f := post(t, url); f == nil || f.Class != webhook.ClassOther || f.Status != 0 {
			t.Errorf("%s: %+v", url, f)
		}
	}
	check(s.URL)
	check("http://user:" + secret + "@" + strings.TrimPrefix(s.URL, "http://"))
	check("gopher://nobody")
	check("http://nobody\x7f")
	check("http://%zz")
	check("http://nobody:port")
}

func TestURLFile(t *testing.T) {
	hits := make(chan string, 1)
	url := serve(t, func(_ http.ResponseWriter, r *http.Request) { hits <- r.URL.Path })
	file := filepath.Join(t.TempDir(), "url")
	o := func(o *webhook.SenderOptions) { o.URL, o.URLFile = "", file }
	if f := post(t, "", o); f == nil || !strings.Contains(f.Error(), "url_file") {
		t.Errorf("without the file: %v", f)
	}
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("\n")
	if f := post(t, "", o); f == nil || !strings.Contains(f.Error(), "empty") {
		t.Errorf("with an empty file: %v", f)
	}
	write(url + "/" + secret + "\n")
	if f := post(t, "", o); f != nil {
		t.Fatal(f)
	}
	if got := <-hits; got != "/"+secret {
		t.Errorf("posted to %s", got)
	}
}
