package web

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/crypto/bcrypt"
)

// running starts a server on two free ports of the loopback interface and returns how to stop it.
func running(t *testing.T, s Server) (addrs []string, stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	listeners, err := Listen(ctx, "127.0.0.1:0", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range listeners {
		addrs = append(addrs, l.Addr().String())
	}
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, listeners...) }()
	return addrs, func() error {
		cancel()
		select {
		case err := <-done:
			return err
		case <-time.After(drainTimeout + cancelTimeout + time.Second):
			return fmt.Errorf("not stopped")
		}
	}
}

func fetch(t *testing.T, addr, host string, auth ...string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr+"/-/ready", nil)
	if err != nil {
		t.Fatal(err)
	}
	if host != "" {
		r.Host = host
	}
	if len(auth) == 2 {
		r.SetBasicAuth(auth[0], auth[1])
	}
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func TestServe(t *testing.T) {
	handler := newTestHandler(t, options(t))
	before := goleak.IgnoreCurrent() // the store of the options lives as long as the test
	addrs, stop := running(t, Server{Handler: handler})
	for _, addr := range addrs {
		if code, body := fetch(t, addr, ""); code != http.StatusOK {
			t.Errorf("%s: %d %s", addr, code, body)
		}
		if code, _ := fetch(t, addr, "evil.example"); code != http.StatusForbidden {
			t.Errorf("%s: a foreign host got %d", addr, code)
		}
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	goleak.VerifyNone(t, before)
}

func TestServeWithUsers(t *testing.T) {
	hash, err := bcrypt.GenerateFromPassword([]byte("secret"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "web.yml")
	if err := os.WriteFile(file, []byte("basic_auth_users: {shop: "+string(hash)+"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := ValidateConfigFile(file); err != nil {
		t.Fatal(err)
	}
	addrs, stop := running(t, Server{Handler: newTestHandler(t, options(t)), ConfigFile: file})
	if code, _ := fetch(t, addrs[0], ""); code != http.StatusUnauthorized {
		t.Errorf("without a password: %d", code)
	}
	if code, _ := fetch(t, addrs[1], "", "shop", "secret"); code != http.StatusOK {
		t.Errorf("with the password: %d", code)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if err := ValidateConfigFile(file + ".missing"); err == nil {
		t.Error("a missing file is valid")
	}
}

func TestRunFailsOnABadConfigFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "web.yml")
	if err := os.WriteFile(file, []byte("tls_server_config: {cert_file: missing.pem, key_file: missing.pem}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	listeners, err := Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := (Server{Handler: http.NotFoundHandler(), ConfigFile: file}).Run(t.Context(), listeners...); err == nil {
		t.Error("serves without its certificate")
	}
}

func TestListenIsAllOrNothing(t *testing.T) {
	first, err := Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer first[0].Close()
	taken := first[0].Addr().String()
	if _, err := Listen(t.Context(), "127.0.0.1:0", taken); err == nil || !strings.Contains(err.Error(), taken) {
		t.Errorf("listening twice on %s: %v", taken, err)
	}
}

// Stopping lets a request finish, and no request can hold it up.
func TestStop(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		entered <- struct{}{}
		select {
		case <-release:
			fmt.Fprint(w, "finished")
		case <-r.Context().Done():
		}
	})
	addrs, stop := running(t, Server{Handler: handler})
	ask := func() net.Conn {
		t.Helper()
		var d net.Dialer
		c, err := d.DialContext(t.Context(), "tcp", addrs[0])
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
		<-entered
		return c
	}
	patient, stuck := ask(), ask()
	defer patient.Close()
	defer stuck.Close()
	stopped := make(chan error, 1)
	begin := time.Now()
	go func() { stopped <- stop() }()
	release <- struct{}{} // one of the two goes on
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if took := time.Since(begin); took > drainTimeout+cancelTimeout+500*time.Millisecond {
		t.Errorf("stopping took %v", took)
	}
	finished := 0
	for _, c := range []net.Conn{patient, stuck} {
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			continue
		}
		if b, _ := io.ReadAll(resp.Body); string(b) == "finished" {
			finished++
		}
		_ = resp.Body.Close() // it has been read
	}
	if finished != 1 {
		t.Errorf("%d requests finished, want 1", finished)
	}
}

// Who sends a header byte by byte, or a request that says two lengths, is cut off; the others are served all the while.
func TestSlowAndCraftyClients(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for a time limit")
	}
	t.Parallel()
	addrs, stop := running(t, Server{Handler: newTestHandler(t, options(t))})
	defer func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	}()
	open := func() net.Conn {
		var d net.Dialer
		c, err := d.DialContext(t.Context(), "tcp", addrs[0])
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	slow := open()
	defer slow.Close()
	crafty := open()
	defer crafty.Close()
	fmt.Fprint(crafty, "POST /-/ready HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\nGET /-/healthy HTTP/1.1\r\n\r\n")
	line, _ := bufio.NewReader(crafty).ReadString('\n')
	if !strings.Contains(line, " 400 ") && !strings.Contains(line, " 501 ") {
		t.Errorf("two lengths are answered %q", line)
	}
	began := time.Now()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = io.Copy(io.Discard, slow)
	}()
	for i := 0; ; i++ {
		_, _ = slow.Write([]byte("GET /-/ready HTTP/1.1 "[i%22 : i%22+1]))
		if code, _ := fetch(t, addrs[0], ""); code != http.StatusOK {
			t.Fatalf("another client got %d", code)
		}
		select {
		case <-ended:
			if took := time.Since(began); took > readHeaderTimeout+3*time.Second {
				t.Errorf("the slow one was cut off after %s", took)
			}
			return
		case <-time.After(200 * time.Millisecond):
		}
		if time.Since(began) > 20*time.Second {
			t.Fatal("the slow one is never cut off")
		}
	}
}
