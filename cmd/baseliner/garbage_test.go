package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang/snappy"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/status"
)

// Random bytes, cut bodies, wrong types and encodings, huge claims and slow bodies at every way in: each is answered with what its sender
// can do something about, never 500; they are counted, told in a few lines at most, and others are served meanwhile.
func TestGarbage(t *testing.T) {
	if testing.Short() {
		t.Skip("sends thousands of requests")
	}
	dir, overGRPC, overHTTP := t.TempDir(), freeAddress(t), freeAddress(t)
	token := write(t, dir, "token", "hush")
	r := runInstanceOf(t, write(t, dir, "c.yml", fmt.Sprintf(`
ingest:
  otlp: {grpc: {endpoint: '%s'}, http: {endpoint: '%s'}}
  remote_write: {enabled: true}
  business: {enabled: true, token_file: '%s'}
`, overGRPC, overHTTP, token)), dir+"/data")
	before := anonymous(t, r.cmd.Process.Pid)
	page := strings.TrimPrefix(r.url, "http://")

	// Bodies that come a byte at a time hold up nobody else.
	for _, target := range []struct{ address, path string }{{page, "/api/v1/write"}, {page, "/api/baseliner/v1/business"}, {overHTTP, "/v1/metrics"}} {
		for range 10 {
			conn, err := net.Dial("tcp", target.address)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer hush\r\nContent-Type: application/x-protobuf\r\nContent-Length: 1000000\r\n\r\nx", target.path)
		}
	}
	rnd := rand.New(rand.NewPCG(6, 11))
	random := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(rnd.Uint32())
		}
		return b
	}
	zipped := func(b []byte) []byte {
		var w bytes.Buffer
		z := gzip.NewWriter(&w)
		if _, err := z.Write(b); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		return w.Bytes()
	}
	claim, err := hex.DecodeString("97eab4890a170a085f5f6e616d655f5f120b746573745f6d6574726963121009000000000000f03f10d48fc9b2a333")
	if err != nil {
		t.Fatal(err)
	}
	bomb := zipped(make([]byte, 64<<20))
	good := batch(0, time.Now().UnixMilli(), 1)
	bodies := func() [][]byte {
		out := [][]byte{
			nil,
			{0},
			claim, random(1), random(50), random(5000), good[:rnd.IntN(len(good))], snappy.Encode(nil, random(300)), zipped(random(300)),
			bomb, []byte("\x28\xb5\x2f\xfd\x04\x78\xff\xff\xff\xff"), []byte(`{"resourceMetrics":[{`), []byte(strings.Repeat("[", 100_000)),
			[]byte(`{"type":"event"`), []byte("\n\n\n"), []byte(strings.Repeat(`{"type":"value","name":"x","value":1e999}`+"\n", 1000)),
		}
		z := zipped(good)
		return append(out, z[:rnd.IntN(len(z))])
	}
	answers := map[int]int{}
	client := http.Client{Timeout: 20 * time.Second}
	for _, url := range []string{r.url + "/api/v1/write", r.url + "/api/baseliner/v1/business", r.url + "/v1/metrics", "http://" + overHTTP + "/v1/metrics"} {
		for _, kind := range []string{"", "application/x-protobuf", "application/x-protobuf;proto=io.prometheus.write.v2.Request", "application/json", "text/html; charset=\"", "\x7f"} {
			for _, packed := range []string{"", "snappy", "gzip", "zstd", "br", "gzip, gzip"} {
				for i, body := range bodies() {
					req, err := http.NewRequest(http.MethodPost, url, bytes.NewReader(body))
					if err != nil {
						t.Fatal(err)
					}
					if kind != "\x7f" {
						req.Header.Set("Content-Type", kind)
					} else {
						req.Header.Set("Content-Type", "\xff\xfe")
					}
					req.Header.Set("Content-Encoding", packed)
					if strings.HasSuffix(url, "business") {
						req.Header.Set("Authorization", "Bearer hush")
					}
					resp, err := client.Do(req)
					if err != nil {
						t.Errorf("%s, %q, %q, body %d: %v", url, kind, packed, i, err)
						continue
					}
					text, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
					_ = resp.Body.Close()
					answers[resp.StatusCode]++
					if !slices.Contains([]int{200, 204, 400, 413, 415, 503}, resp.StatusCode) || resp.StatusCode >= 300 && len(text) == 0 || len(text) > 64<<10 {
						t.Errorf("%s, %q, %q, body %d: answer %d, %d bytes: %.200q", url, kind, packed, i, resp.StatusCode, len(text), text)
					}
				}
			}
		}
	}
	conn, err := grpc.NewClient(overGRPC, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for i, body := range bodies() {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		var answer []byte
		err := conn.Invoke(ctx, "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export", body, &answer, grpc.ForceCodec(rawBytes{}))
		cancel()
		if code := status.Code(err); code != codes.OK && code != codes.InvalidArgument && code != codes.ResourceExhausted {
			t.Errorf("gRPC, body %d: %v", i, err)
		}
	}
	for range 50 { // what is no HTTP/2, and a frame that claims 16 MiB
		raw, err := net.Dial("tcp", overGRPC)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = raw.Write(append([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff"), random(500)...))
		_ = raw.Close()
	}
	t.Logf("answers by code: %v", answers)
	if code, text := r.get("/-/ready"); code != http.StatusOK {
		t.Errorf("afterwards it is %d %q", code, text)
	}
	for _, counter := range []string{
		`baseliner_otlp_requests_total{code="400",transport="http"}`, `baseliner_otlp_requests_total{code="InvalidArgument",transport="grpc"}`,
		`baseliner_http_requests_total{code="400",handler="/api/v1/write"}`, `baseliner_http_requests_total{code="400",handler="/api/baseliner/v1/business"}`,
	} {
		if n, _ := r.metric(counter); n < 1 {
			t.Errorf("%s is %v", counter, n)
		}
	}
	if lines := strings.Count(r.stderr.String(), "\n"); lines > 40 || strings.Contains(r.stderr.String(), "panic") {
		t.Errorf("%d lines are logged", lines)
	}
	if more := anonymous(t, r.cmd.Process.Pid) - before; more > 96<<20 {
		t.Errorf("%d MiB more are held", more>>20)
	}
}

// rawBytes sends messages as they are.
type rawBytes struct{}

var _ encoding.Codec = rawBytes{}

func (rawBytes) Marshal(v any) ([]byte, error) { return v.([]byte), nil }

func (rawBytes) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = slices.Clone(data)
	return nil
}

func (rawBytes) Name() string { return "proto" }
