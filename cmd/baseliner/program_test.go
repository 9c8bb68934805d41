package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"
)

// program is the binary under test.
var program string

// targetEnv makes the test binary a scrape target instead, so that a test may kill it.
const targetEnv = "BASELINER_TEST_TARGET"

func TestMain(m *testing.M) {
	if address := os.Getenv(targetEnv); address != "" {
		fmt.Fprintln(os.Stderr, serveTarget(address))
		os.Exit(1)
	}
	os.Exit(testMain(m))
}

func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "baseliner-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }() // of the system's temporary files
	program = filepath.Join(dir, "baseliner")
	build := exec.Command("go", "build", "-ldflags", "-s -w", "-o", program, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build the program under test: %v\n%s", err, out)
		return 1
	}
	// These tests wait more than they compute.
	flag.Parse()
	if f := flag.Lookup("test.parallel"); f.Value.String() == strconv.Itoa(runtime.GOMAXPROCS(0)) {
		if err := f.Value.Set("8"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return m.Run()
}

// output is what a process wrote; it may be read while the process writes on.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// process is a child of the test. It does not outlive it.
type process struct {
	t              *testing.T
	cmd            *exec.Cmd
	stdout, stderr output
	done           chan struct{}
	err            error // of its end; read it after done
}

func spawn(t *testing.T, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{t: t, cmd: cmd, done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = &p.stdout, &p.stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("%v\n%s%s", cmd.Args, p.stdout.String(), p.stderr.String())
		}
	})
	return p
}

// kill is kill -9.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.done
}

// ended waits for the process to end and returns its exit status.
func (p *process) ended(limit time.Duration) int {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(limit):
		p.t.Fatalf("%v has not ended after %s", p.cmd.Args, limit)
	}
	if exit, ok := errors.AsType[*exec.ExitError](p.err); ok {
		return exit.ExitCode()
	}
	if p.err != nil {
		p.t.Fatal(p.err)
	}
	return 0
}

// command runs a command of the program to its end.
func command(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	p := spawn(t, exec.Command(program, args...))
	status = p.ended(time.Minute)
	return status, p.stdout.String(), p.stderr.String()
}

// must runs a command that is to succeed and returns what it printed.
func must(t *testing.T, args ...string) string {
	t.Helper()
	status, stdout, stderr := command(t, args...)
	if status != 0 {
		t.Fatalf("%v: exit %d\n%s%s", args, status, stdout, stderr)
	}
	return stdout
}

// running is `baseliner run`, listening.
type running struct {
	*process
	url string // without a slash at its end
}

var runningLine = regexp.MustCompile(`msg=running .*address=http://([^/ ]+)/`)

// runInstanceOf starts an instance on a free port and waits until it listens.
func runInstanceOf(t *testing.T, configFile, storage string, flags ...string) *running {
	t.Helper()
	args := append([]string{"run", "--config.file=" + configFile, "--storage.path=" + storage, "--web.listen-address=127.0.0.1:0"}, flags...)
	r := &running{process: spawn(t, exec.Command(program, args...))}
	eventually(t, "the instance listens", 30*time.Second, func() error {
		if m := runningLine.FindStringSubmatch(r.stderr.String()); m != nil {
			r.url = "http://" + m[1]
			return nil
		}
		select {
		case <-r.done:
			t.Fatalf("the instance ended: %v\n%s", r.err, r.stderr.String())
		default:
		}
		return errors.New("it has not said so")
	})
	return r
}

// stop ends the instance as a supervisor would; it has to end well.
func (r *running) stop() {
	r.t.Helper()
	if err := r.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		r.t.Fatal(err)
	}
	if status := r.ended(20 * time.Second); status != 0 {
		r.t.Errorf("the instance ended with status %d", status)
	}
}

// eventually polls until ok returns nil; the last error is told when the limit is reached.
func eventually(t *testing.T, what string, limit time.Duration, ok func() error) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for {
		err := ok()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("waited %s for this: %s; but %v", limit, what, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// write creates a file in a directory of the test and returns its path.
func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
