package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// fences are the shell fences of the README's first ten minutes: the demo, one's own service, one's own Prometheus.
func fences(t *testing.T) []string {
	t.Helper()
	b, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, m := range regexp.MustCompile("(?ms)^```sh\n(.*?)^```$").FindAllStringSubmatch(string(b), -1) {
		if n := strings.Count(m[1], "\n"); n > 10 {
			t.Errorf("%d lines, at most 10:\n%s", n, m[1])
		}
		all = append(all, m[1])
	}
	if len(all) != 3 {
		t.Fatalf("%d fences, want the demo, one's own service, one's own Prometheus", len(all))
	}
	return all
}

// instead puts what a test has in the place of what a reader has; each has to be there.
func instead(t *testing.T, text string, pairs ...string) string {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			t.Errorf("no %q in\n%s", pairs[i], text)
		}
		text = strings.ReplaceAll(text, pairs[i], pairs[i+1])
	}
	return text
}

// shell runs lines as a reader would type them, in a directory, and returns the process while it runs on.
func shell(t *testing.T, dir, lines string, env ...string) *process {
	t.Helper()
	cmd := exec.Command("bash", "-e", "-c", lines)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p := spawn(t, cmd)
	t.Cleanup(func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }) // what it started
	return p
}

// TestReadmeDemo runs the first fence, with one week of history: it tells the incident once that has begun, and nothing
// before. How long it took is in the log.
func TestReadmeDemo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := shell(t, "../..", fences(t)[0], "DEMO=--weeks=1 --web.listen-address=127.0.0.1:0 --storage.path="+dir+"/data")
	eventually(t, "it is built and begins", 4*time.Minute, func() error { return printed(p, "A web shop, simulated") })
	began := time.Now()
	eventually(t, "the shop is well", 3*time.Minute, func() error { return printed(p, "All is well") })
	eventually(t, "the first alert", 2*time.Minute, func() error { return printed(p, "FIRING: ") })
	t.Logf("first alert after %s\n%s", time.Since(began).Round(time.Second), p.stdout.String())
	// By itself, or in the story that it began, where a slow machine saw both at once.
	eventually(t, "it names the query", time.Minute, func() error { return printed(p, "database query time (queryid=7719)") })
	if strings.Index(p.stdout.String(), "FIRING") < strings.Index(p.stdout.String(), "Now the database becomes slow") {
		t.Error("it fires before anything is wrong")
	}
}

func printed(p *process, text string) error {
	select {
	case <-p.done:
		return fmt.Errorf("it ended: %w\n%s", p.err, p.stderr.String())
	default:
	}
	if !strings.Contains(p.stdout.String(), text) {
		return fmt.Errorf("it has not printed %q", text)
	}
	return nil
}

// TestReadme runs the other fences: a service on its port, then a server that has its past. make build is done by make
// itself, in the checkout.
func TestReadme(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(recordings + "/shop.prom")
	if err != nil {
		t.Fatal(err)
	}
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		_, _ = w.Write(page)
	}))
	defer service.Close()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(program, filepath.Join(dir, "bin", "baseliner")); err != nil {
		t.Fatal(err)
	}
	all := fences(t)
	build, own, _ := strings.Cut(all[1], "\n")
	if out, err := exec.Command("bash", "-c", "cd ../.. && "+build+" --dry-run").CombinedOutput(); err != nil || !strings.Contains(string(out), "go build") {
		t.Errorf("%s: %v\n%s", build, err, out)
	}
	address := freeAddress(t)
	run := []string{"bin/baseliner run", "exec bin/baseliner run --web.listen-address=" + address}
	serves := func(what string, p *process, ok func(*running) error) {
		t.Helper()
		eventually(t, what, 4*time.Minute, func() error {
			select {
			case <-p.done:
				t.Fatalf("it ended: %v\n%s", p.err, p.stderr.String())
			default:
			}
			resp, err := http.Get("http://" + address + "/-/ready")
			if err != nil {
				return err
			}
			_ = resp.Body.Close()
			return ok(&running{process: p, url: "http://" + address})
		})
		if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		<-p.done
	}
	p := shell(t, dir, instead(t, own, append(run, "127.0.0.1:8080", service.Listener.Addr().String())...))
	serves("its signals are on", p, func(in *running) error {
		if _, ok := in.signals()["http_in_flight"]; !ok {
			return errors.New("no signal of its own")
		}
		return nil
	})
	if !strings.Contains(p.stdout.String(), "my.yml: valid") {
		t.Errorf("check says %s", p.stdout.String())
	}

	server := newFarServer(t, "go_goroutines", "http_requests_in_flight")
	p = shell(t, dir, instead(t, all[2], append(run, "http://127.0.0.1:9090", server.URL, "--range=5w", "--range=8d")...))
	serves("its bands are known", p, func(in *running) error {
		s, ok := in.signals()["http_in_flight"]
		if !ok || len(s.Series) == 0 || !strings.Contains(s.Series[0].Knowledge, "seen") {
			return fmt.Errorf("%+v", s.Series)
		}
		return nil
	})
	t.Log(p.stdout.String())
}
