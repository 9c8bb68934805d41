package web

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

func TestForeignHostsAreRefusedOnLoopback(t *testing.T) {
	o := options(t)
	o.ListenAddresses = []string{"127.0.0.1:9780", "Devbox:9780", ":9781"}
	o.ExternalURL = &url.URL{Scheme: "https", Host: "Baseliner.example:8443"}
	h := newTestHandler(t, o)
	check := func(listener net.Addr, host string, want int) {
		t.Helper()
		for _, path := range []string{"/", "/metrics", "/-/healthy", "/api/v1/status/buildinfo", "/static/app.js"} {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
			if listener != nil {
				r = r.WithContext(context.WithValue(r.Context(), listenerKey{}, listener))
			}
			r.Host = host
			w := httptest.NewRecorder()
			if h.ServeHTTP(w, r); w.Code != want {
				t.Errorf("listener %v, Host %q, %s: %d, want %d", listener, host, path, w.Code, want)
			}
		}
	}
	loopback := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9780}
	for _, host := range []string{
		"localhost", "localhost:9780", "LOCALHOST", "localhost.", "demo.localhost:9780", "127.0.0.1:9780", "127.0.0.2", "[::1]:9780", "[::1]",
		"devbox:9780", "baseliner.example", "baseliner.example:8443",
	} {
		check(loopback, host, http.StatusOK)
		check(nil, host, http.StatusOK)
	}
	for _, host := range []string{"evil.example", "evil.example:9780", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1", "", "notlocalhost", "[fe80::1]"} {
		check(loopback, host, http.StatusForbidden)
		check(nil, host, http.StatusForbidden)
		check(&net.TCPAddr{IP: net.IPv6loopback}, host, http.StatusForbidden)
		check(&net.TCPAddr{IP: net.IPv6unspecified}, host, http.StatusOK)
		check(&net.TCPAddr{IP: net.IPv4(10, 0, 0, 7)}, host, http.StatusOK)
		check(&net.UnixAddr{Name: "/run/baseliner.sock"}, host, http.StatusOK)
	}
}

func TestCrossOriginRequestsChangeNothing(t *testing.T) {
	o := options(t)
	reloads, writes := 0, 0
	o.EnableLifecycle = true
	o.Reload = func(context.Context) error { reloads++; return nil }
	o.ExternalURL = &url.URL{Scheme: "https", Host: "baseliner.example"}
	o.Routes = []Route{{Pattern: "POST /api/v1/write", Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { writes++ })}}
	h := newTestHandler(t, o)
	check := func(path string, want int, header ...string) {
		t.Helper()
		if w := do(t, h, http.MethodPost, path, url.Values{}, header...); w.Code != want {
			t.Errorf("POST %s %v: %d %s, want %d", path, header, w.Code, w.Body, want)
		}
	}
	for _, path := range []string{"/-/reload", "/api/v1/write"} {
		check(path, 403, "Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example")
		check(path, 403, "Sec-Fetch-Site", "same-site")
		check(path, 403, "Origin", "https://evil.example")
		check(path, 403, "Origin", "null")
	}
	if reloads != 0 || writes != 0 {
		t.Fatalf("%d reloads and %d writes by foreign pages", reloads, writes)
	}
	check("/-/reload", 200)
	check("/-/reload", 200, "Sec-Fetch-Site", "same-origin", "Origin", "http://localhost:9780")
	check("/-/reload", 200, "Origin", "https://baseliner.example", "Sec-Fetch-Site", "cross-site")
	check("/api/v1/write", 200)
	if reloads != 3 || writes != 1 {
		t.Errorf("%d reloads and %d writes, want 3 and 1", reloads, writes)
	}
}

func TestEveryAnswerCarriesTheGuardHeaders(t *testing.T) {
	h := newTestHandler(t, options(t))
	for _, path := range []string{"/", "/signal?name=orders", "/static/app.css", "/nothing", "/api/v1/query", "/metrics"} {
		w := get(t, h, path)
		policy := w.Header().Get("Content-Security-Policy")
		if !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: policy %q", path, policy)
		}
		if w.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: content type may be sniffed", path)
		}
		if w.Header().Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: readable by other origins", path)
		}
	}
}

func TestReload(t *testing.T) {
	check := func(o Options, method string, code int, text string) {
		t.Helper()
		w := do(t, newTestHandler(t, o), method, "/-/reload", nil)
		if w.Code != code || !strings.Contains(w.Body.String(), text) {
			t.Errorf("%s /-/reload: %d %s, want %d %s", method, w.Code, w.Body, code, text)
		}
	}
	o := options(t)
	o.Reload = func(context.Context) error { return errors.New("line 3: unknown key") }
	check(o, http.MethodPost, http.StatusForbidden, "--web.enable-lifecycle")
	o.EnableLifecycle = true
	check(o, http.MethodPost, http.StatusInternalServerError, "line 3: unknown key")
	o.Reload = func(context.Context) error { return nil }
	check(o, http.MethodPost, http.StatusOK, "")
	check(o, http.MethodPut, http.StatusOK, "")
	check(o, http.MethodGet, http.StatusMethodNotAllowed, "")
}

func TestAdminRoutes(t *testing.T) {
	o := options(t)
	o.Routes = []Route{{Pattern: "POST /api/baseliner/v1/unlearn", Admin: true, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) })}}
	check := func(method string, want int) {
		t.Helper()
		if w := do(t, newTestHandler(t, o), method, "/api/baseliner/v1/unlearn", nil); w.Code != want {
			t.Errorf("%s: %d %s, want %d", method, w.Code, w.Body, want)
		}
	}
	check(http.MethodPost, http.StatusForbidden)
	o.EnableAdminAPI = true
	check(http.MethodPost, http.StatusAccepted)
	check(http.MethodGet, http.StatusNotImplemented) // the rest of the endpoint is still to come
}
