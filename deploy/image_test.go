// Package deploy tests what is shipped around the binary: the image and the manifests.
package deploy

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const maxImage = 90 << 20 // bytes

// builder runs buildah with a store of its own, without a registry and without a container engine.
type builder struct {
	t   *testing.T
	dir string
}

func newBuilder(t *testing.T) *builder {
	t.Helper()
	why := ""
	if _, err := exec.LookPath("buildah"); err != nil {
		why = "needs buildah (apt-get install buildah)"
	} else if os.Geteuid() != 0 {
		why = "needs root: buildah is used with chroot isolation"
	}
	if why != "" && os.Getenv("CI") != "" {
		t.Fatal(why)
	} else if why != "" {
		t.Skip(why)
	}
	dir, err := os.MkdirTemp("", "baseliner-image-") //nolint:usetesting // what is mounted in it goes first
	if err != nil {
		t.Fatal(err)
	}
	b := &builder{t, dir}
	t.Cleanup(func() {
		_ = exec.Command("buildah", b.global("rm", "--all")...).Run() // what it mounted
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return b
}

func (b *builder) global(args ...string) []string {
	return append([]string{"--root", b.dir + "/store", "--runroot", b.dir + "/run", "--storage-driver", "vfs"}, args...)
}

func (b *builder) run(args ...string) string {
	b.t.Helper()
	cmd := exec.Command("buildah", b.global(args...)...)
	cmd.Env = append(os.Environ(), "BUILDAH_ISOLATION=chroot")
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		b.t.Fatalf("buildah %v: %v\n%s%s", args, err, out, errs.String())
	}
	return strings.TrimSpace(string(out))
}

// base makes an image of files, by their path in it, each a path here or a directory where that is empty.
func (b *builder) base(name string, files map[string]string, env ...string) {
	b.t.Helper()
	c := b.run("from", "scratch")
	root := b.run("mount", c)
	for at, from := range files {
		to := filepath.Join(root, at)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			b.t.Fatal(err)
		}
		if from == "" {
			if err := os.MkdirAll(to, 0o755); err != nil {
				b.t.Fatal(err)
			}
			continue
		}
		content, err := os.ReadFile(from)
		if err != nil {
			b.t.Fatal(err)
		}
		if err := os.WriteFile(to, content, 0o755); err != nil {
			b.t.Fatal(err)
		}
	}
	b.run("umount", c)
	for _, e := range env {
		b.run("config", "--env", e, c)
	}
	b.run("commit", "-q", "--disable-compression=true", c, "localhost/"+name)
}

// libraries are the files that a program of this machine loads.
func libraries(t *testing.T, program string) map[string]string {
	t.Helper()
	out, err := exec.Command("ldd", program).Output()
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for field := range strings.FieldsSeq(string(out)) {
		if strings.HasPrefix(field, "/") {
			files[field] = field
		}
	}
	return files
}

func goEnv(t *testing.T, name string) string {
	t.Helper()
	out, err := exec.Command("go", "env", name).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// TestImage builds the Dockerfile as it is, on bases made here instead of those of a registry: a shell and this machine's Go
// to build, certificates alone to run. Then it runs what came out as Kubernetes would: as nobody, on a root that is
// read-only.
func TestImage(t *testing.T) {
	b := newBuilder(t)
	shell := libraries(t, "/bin/sh")
	shell["/bin/sh"] = "/bin/sh"
	for _, dir := range []string{"/usr/local/go", "/modules", "/cache", "/tmp"} {
		shell[dir] = ""
	}
	b.base("build", shell, "PATH=/usr/local/go/bin:/bin", "GOMODCACHE=/modules", "GOCACHE=/cache", "GOPROXY=off", "GOTOOLCHAIN=local", "GOFLAGS=-mod=mod", "HOME=/tmp")
	certificates := map[string]string{"/data": "", "/tmp": ""}
	if _, err := os.Stat("/etc/ssl/certs/ca-certificates.crt"); err == nil {
		certificates["/etc/ssl/certs/ca-certificates.crt"] = "/etc/ssl/certs/ca-certificates.crt"
	}
	b.base("base", certificates)
	b.run("bud", "-q", "--pull-never", "--isolation", "chroot", "--format", "oci",
		"-v", goEnv(t, "GOROOT")+":/usr/local/go:ro", "-v", goEnv(t, "GOMODCACHE")+":/modules", "-v", goEnv(t, "GOCACHE")+":/cache",
		"--build-arg", "BUILD=localhost/build", "--build-arg", "BASE=localhost/base", "--build-arg", "VERSION=v9.9.9-test",
		"-t", "localhost/baseliner:test", "-f", "../Dockerfile", "..")

	var inspected struct {
		OCIv1 struct {
			Config struct {
				User       string
				Entrypoint []string
				Cmd        []string
			}
		}
	}
	if err := json.Unmarshal([]byte(b.run("inspect", "--type", "image", "localhost/baseliner:test")), &inspected); err != nil {
		t.Fatal(err)
	}
	c := inspected.OCIv1.Config
	if c.User != "65532:65532" || !slices.Equal(c.Entrypoint, []string{"/baseliner"}) || !slices.Contains(c.Cmd, "--web.probe-address=:9782") {
		t.Errorf("image config: %+v", c)
	}
	root := b.run("mount", b.run("from", "--pull-never", "localhost/baseliner:test"))
	size := int64(0)
	err := filepath.Walk(root, func(_ string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().IsRegular() {
			size += info.Size()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the image has %.1f MB", float64(size)/1e6)
	if size > maxImage {
		t.Errorf("the image has %d bytes, at most %d", size, maxImage)
	}
	runReadOnly(t, root, c.Cmd)
}

// runReadOnly runs the image's command on its root, mounted read-only, as the image's user; only /data can be written.
func runReadOnly(t *testing.T, root string, command []string) {
	t.Helper()
	data := t.TempDir()
	for dir := data; dir != "/tmp" && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chown(data, 65532, 65532); err != nil {
		t.Fatal(err)
	}
	pages, probes := freePort(t), freePort(t)
	args := slices.Clone(command)
	args[slices.Index(args, "--web.probe-address=:9782")] = "--web.probe-address=:" + probes
	args = append(args, "--web.listen-address=127.0.0.1:"+pages)
	const script = `set -e
mount --bind "$ROOT" "$ROOT"
mount --bind "$DATA" "$ROOT/data"
mount -o remount,bind,ro "$ROOT"
! touch "$ROOT/tmp/x" 2>/dev/null
exec chroot --userspec=65532:65532 "$ROOT" /baseliner "$@"`
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "unshare", append([]string{"--mount", "--propagation", "private", "sh", "-c", script, "sh"}, args...)...)
	cmd.Env = []string{"ROOT=" + root, "DATA=" + data, "PATH=" + os.Getenv("PATH")}
	var log strings.Builder
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		cancel()
		_ = cmd.Wait() // it was killed
		if t.Failed() {
			t.Log(log.String())
		}
	}()
	// The kubelet asks from another address than ours.
	client := &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{
		DialContext: (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 7)}}).DialContext,
	}}
	get := func(port, path string) (int, string, error) {
		resp, err := client.Get("http://127.0.0.2:" + port + path)
		if err != nil {
			return 0, "", err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		return resp.StatusCode, string(body), err
	}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(200 * time.Millisecond) {
		status, body, err := get(probes, "/-/ready")
		if status == http.StatusOK {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("not ready: %d %s %v", status, body, err)
		}
	}
	for path, want := range map[string]string{"/-/healthy": "", "/metrics": `baseliner_build_info{version="v9.9.9-test"} 1`} {
		if status, body, err := get(probes, path); status != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s: %d %v, want %q", path, status, err, want)
		}
	}
	if _, _, err := get(pages, "/"); err == nil {
		t.Error("the pages answer to another address")
	}
	owner, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(owner), "Uid:\t65532\t65532\t65532\t65532") {
		t.Errorf("it does not run as nobody:\n%s", owner)
	}
	if _, err := os.Stat(data + "/ledger.db"); err != nil {
		t.Errorf("it keeps nothing in /data: %v", err)
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}
