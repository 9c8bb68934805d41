package scrape_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// Pages that are none fail as a whole: nothing of them is kept, and the good target beside them is scraped.
func TestPagesThatAreNone(t *testing.T) {
	pages := map[string]string{
		"quotes":      "good 1\na{b=\"c} 1\n",
		"nothing":     "good 1\n{} 1\n",
		"value":       "good 1\na{b=} 1\n",
		"nul":         "good 1\na\x00b 1\n",
		"utf8":        "good 1\na{b=\"\xff\"} 1\n",
		"html":        "<!DOCTYPE html><html><body>502 Bad Gateway</body></html>\n",
		"text":        "good one\n",
		"openmetrics": "# TYPE good gauge\ngood 1\n", // without # EOF
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := strings.TrimPrefix(r.URL.Path, "/")
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		if name == "openmetrics" {
			w.Header().Set("Content-Type", "application/openmetrics-text; version=1.0.0")
		}
		if page, ok := pages[name]; ok {
			_, _ = w.Write([]byte(page))
			return
		}
		fmt.Fprint(w, "good 1\n")
	}))
	t.Cleanup(server.Close)
	var jobs strings.Builder
	for name := range pages {
		fmt.Fprintf(&jobs, "- {job_name: %s, metrics_path: /%s, static_configs: [{targets: [%q]}]}\n", name, name, address(server))
	}
	f := start(t, jobs.String()+static("fine", address(server)))
	for name := range pages {
		f.eventuallyIs(0, "__name__", "up", "job", name)
		if v, n := f.last("__name__", "good", "job", name); n != 0 {
			t.Errorf("%s: half a scrape was kept: %v", name, v)
		}
	}
	f.eventuallyIs(1, "__name__", "good", "job", "fine")
}

// Of a series that is shown twice the first counts, and the page is taken.
func TestASeriesTwiceOnAPage(t *testing.T) {
	_, addr := serve(t, "a 1\na 2\nb 3\n")
	f := start(t, static("twice", addr))
	f.eventuallyIs(1, "__name__", "up", "job", "twice")
	f.eventuallyIs(1, "__name__", "a")
	f.eventuallyIs(3, "__name__", "b")
}

// A target that hangs, drips, never ends, redirects for ever or to a file, or packs a bomb is down; the others are scraped on time, at no
// great cost.
func TestTargetsThatMeanHarm(t *testing.T) {
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	for range 200 {
		if _, err := z.Write(bytes.Repeat([]byte("# nothing\n"), 100_000)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		switch name := strings.TrimPrefix(r.URL.Path, "/"); name {
		case "hangs":
			<-stop
		case "drips":
			for range 100 {
				if _, err := w.Write([]byte("a")); err != nil {
					return
				}
				_ = http.NewResponseController(w).Flush()
				select {
				case <-stop:
					return
				case <-time.After(50 * time.Millisecond):
				}
			}
		case "endless":
			line := bytes.Repeat([]byte("# nothing\n"), 1000)
			for {
				if _, err := w.Write(line); err != nil {
					return
				}
			}
		case "loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		case "file":
			w.Header().Set("Location", "file:///etc/passwd")
			w.WriteHeader(http.StatusFound)
		case "nogzip":
			w.Header().Set("Content-Encoding", "gzip")
			fmt.Fprint(w, "good 1\n")
		case "bomb":
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(bomb.Bytes())
		default:
			asked.Add(1)
			fmt.Fprint(w, "good 1\n")
		}
	}))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(stop) })
	names := []string{"hangs", "drips", "endless", "loop", "file", "nogzip", "bomb"}
	var jobs strings.Builder
	for _, name := range names {
		fmt.Fprintf(&jobs, "- {job_name: %s, metrics_path: /%s, body_size_limit: 1MB, static_configs: [{targets: [%q]}]}\n", name, name, address(server))
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f := start(t, jobs.String()+static("fine", address(server)))
	for _, name := range names {
		f.eventuallyIs(0, "__name__", "up", "job", name)
	}
	f.eventuallyIs(1, "__name__", "good", "job", "fine")
	had := asked.Load()
	f.eventually("the good target is scraped on", func() bool { return asked.Load() > had+2 })
	runtime.GC()
	runtime.ReadMemStats(&after)
	if after.HeapAlloc > before.HeapAlloc+64<<20 {
		t.Errorf("%d MiB are held", after.HeapAlloc>>20)
	}
}

// Credentials of a target do not follow a redirect to another host.
func TestCredentialsStay(t *testing.T) {
	told := make(chan string, 16)
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case told <- r.Header.Get("Authorization"):
		default:
		}
		fmt.Fprint(w, "good 1\n")
	}))
	t.Cleanup(other.Close)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, port, _ := strings.Cut(address(other), ":")
		http.Redirect(w, r, "http://localhost:"+port+"/", http.StatusFound)
	}))
	t.Cleanup(server.Close)
	start(t, fmt.Sprintf("- {job_name: a, basic_auth: {username: u, password: hush}, static_configs: [{targets: [%q]}]}\n", address(server)))
	select {
	case got := <-told:
		if got != "" {
			t.Errorf("the other host is told %q", got)
		}
	case <-time.After(patience):
		t.Fatal("the redirect was not followed")
	}
}
