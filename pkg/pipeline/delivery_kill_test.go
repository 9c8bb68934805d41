package pipeline

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	amwebhook "github.com/prometheus/alertmanager/notify/webhook"
	commonconfig "github.com/prometheus/common/config"
	"go.etcd.io/bbolt"

	"github.com/baseliner/baseliner/pkg/alert"
	"github.com/baseliner/baseliner/pkg/alert/outbox"
	"github.com/baseliner/baseliner/pkg/alert/webhook"
)

// deliveryKills is how many processes are killed in one story of deliveries, deliveryRounds how often it is told; the soak
// tells it twenty times, a short run kills fewer.
var deliveryKills, deliveryRounds = 50, 1

const (
	deliveryStart  = base
	deliveryTicks  = 8 * 60 // eight hours of one-minute ticks
	deliveryAlerts = 120
	deliveryGroups = 20
)

// deliveryTransitions are those of a tick: alerts begin throughout the first seven hours and last from three minutes to
// two hours. The last half hour is quiet.
func deliveryTransitions(t int64) (ts []Transition) {
	for i := range deliveryAlerts {
		r := rand.New(rand.NewPCG(uint64(i), 7))
		begins := deliveryStart + int64(r.IntN(7*60-20))*60_000
		ends := min(begins+int64(3+r.IntN(120))*60_000, deliveryStart+450*60_000)
		tr := Transition{
			Words: Words{
				Labels:      map[string]string{"alertname": "X", "pod": fmt.Sprint(i), "group": fmt.Sprint(i % deliveryGroups)},
				Annotations: map[string]string{"summary": fmt.Sprintf("pod %d is slow", i)},
			},
			Firing: true, StartsAt: begins,
		}
		if t == begins {
			ts = append(ts, tr)
		}
		if t == ends {
			tr.Firing, tr.EndsAt = false, ends
			ts = append(ts, tr)
		}
	}
	return ts
}

// TestDeliveryVictim is the process that is killed: ticks, grouping and deliveries as in a real instance, over real
// connections, on simulated time. It says every tick that it has committed.
func TestDeliveryVictim(t *testing.T) {
	dir, url := os.Getenv("BASELINER_TEST_DELIVERY_DIR"), os.Getenv("BASELINER_TEST_DELIVERY_URL")
	if dir == "" {
		t.Skip("it is started by TestKilledWhileDelivering")
	}
	db, err := bbolt.Open(filepath.Join(dir, "ledger"), 0o600, &bbolt.Options{NoSync: true}) // the kernel outlives us
	if err != nil {
		t.Fatal(err)
	}
	meta := []byte("test")
	last := deliveryStart - 60_000
	err = db.Update(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists(meta)
		if v := b.Get(meta); v != nil {
			last = int64(binary.BigEndian.Uint64(v))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		now := func() time.Time { return time.UnixMilli(last + 60_000).Add(time.Since(began)) }
		d := outbox.NewDeliverer(outbox.Options{DB: db, Now: now})
		a, err := NewAnnouncer(db, d, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		send := func(ctx context.Context, id string, body []byte) error {
			// A connection of its own for each post: one that idles would hold up simulated time.
			client := commonconfig.HTTPClientConfig{HTTPHeaders: &commonconfig.Headers{Headers: map[string]commonconfig.Header{
				"Connection": {Values: []string{"close"}},
			}}}
			s, err := webhook.NewSender("r", webhook.SenderOptions{
				URL: url + "/?at=" + strconv.FormatInt(now().UnixMilli(), 10), HTTP: client, Timeout: time.Hour,
			})
			if err != nil {
				return err
			}
			return s.Send(ctx, id, body)
		}
		o := webhook.PayloadOptions{SendResolved: true}
		err = a.Configure(now().UnixMilli(), alert.Routing{Route: announceRoute("group")}, []outbox.Endpoint{{
			Name: "shop/0", Receiver: "shop", SendResolved: true, Send: send,
			Encode: func(n *alert.Notification) ([]byte, bool, error) { return webhook.Encode(n, o) },
		}}, outbox.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { _ = a.Run(ctx, now) })
		wg.Go(func() { _ = d.Run(ctx) })
		for tick := last; tick <= deliveryStart+deliveryTicks*60_000; tick += 60_000 { // the last one once more
			time.Sleep(time.UnixMilli(tick).Sub(now()))
			err := db.Update(func(tx *bbolt.Tx) error {
				if err := tx.Bucket(meta).Put(meta, binary.BigEndian.AppendUint64(nil, uint64(tick))); err != nil {
					return err
				}
				return a.Put(tx, tick, deliveryTransitions(tick))
			})
			if err != nil {
				t.Fatal(err)
			}
			a.Committed()
			fmt.Println("tick", tick)
		}
		time.Sleep(20 * time.Minute)
		cancel()
		wg.Wait()
	})
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	fmt.Println("tick done")
}

// counter is a receiver that counts: what it accepted, in order, and how many posts were on their way at once.
type counter struct {
	flying atomic.Int64

	mu       sync.Mutex
	most     int64
	accepted []received
	ids      map[string]string // body → id
	bodies   map[string]string // id → body
	posts    int
	faults   []string
}

type received struct {
	id      string
	message amwebhook.Message
}

func (c *counter) serve(accepts func(at int64) bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // its sender was killed
		}
		flying := c.flying.Add(1)
		defer c.flying.Add(-1)
		time.Sleep(time.Millisecond)
		at, _ := strconv.ParseInt(r.FormValue("at"), 10, 64)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.most = max(c.most, flying)
		c.posts++
		id := r.Header.Get("webhook-id")
		if was, ok := c.ids[string(body)]; ok && was != id {
			c.faults = append(c.faults, fmt.Sprintf("sent as %s and as %s: %s", was, id, body))
		}
		if was, ok := c.bodies[id]; ok && was != string(body) {
			c.faults = append(c.faults, fmt.Sprintf("%s was\n%s and is\n%s", id, was, body))
		}
		c.ids[string(body)], c.bodies[id] = id, string(body)
		if !accepts(at) {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		m := received{id: id}
		d := json.NewDecoder(bytes.NewReader(body))
		d.DisallowUnknownFields()
		if err := d.Decode(&m.message); err != nil {
			c.faults = append(c.faults, err.Error())
		}
		c.accepted = append(c.accepted, m)
	}
}

func TestKilledWhileDelivering(t *testing.T) {
	if testing.Short() {
		deliveryKills = 10
	}
	t.Run("a receiver that fails for six hours", func(t *testing.T) {
		recovery := deliveryStart + 6*hourMillis
		c := killDeliveries(t, min(deliveryKills, 20), 1000, func(at int64) bool { return at >= recovery })
		// Of every group at most the state that was tried and the one behind it.
		if most := deliveryGroups * (2 + 2*12); len(c.accepted) > most {
			t.Errorf("%d notifications accepted, want at most %d", len(c.accepted), most)
		}
	})
	t.Run("a receiver that fails now and then", func(t *testing.T) {
		for round := range deliveryRounds {
			r := rand.New(rand.NewPCG(1, uint64(round)))
			killDeliveries(t, deliveryKills, uint64(round), func(int64) bool { return r.IntN(3) > 0 })
		}
	})
}

func killDeliveries(t *testing.T, kills int, seed uint64, accepts func(at int64) bool) *counter {
	t.Helper()
	c := &counter{ids: map[string]string{}, bodies: map[string]string{}}
	server := httptest.NewServer(c.serve(accepts))
	defer server.Close()
	dir := t.TempDir()
	r := rand.New(rand.NewPCG(seed, 3))
	killed := 0
	for range kills {
		if deliveryLife(t, dir, server.URL, 1+r.IntN(max(deliveryTicks/kills, 2)), time.Duration(r.IntN(8000))*time.Microsecond) {
			killed++
		}
	}
	if deliveryLife(t, dir, server.URL, 1<<30, 0) {
		t.Error("the last life did not end by itself")
	}
	if killed < kills*9/10 {
		t.Errorf("only %d of %d lives were killed before they were done", killed, kills)
	}

	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range c.faults {
		t.Error(f)
	}
	began, over := map[string]bool{}, map[string]bool{}
	repeated := map[string]int{}
	for _, m := range c.accepted {
		repeated[m.id]++
		for _, a := range m.message.Alerts {
			k := fmt.Sprint(a.Fingerprint, "/", a.StartsAt.UnixMilli())
			if a.Status == "firing" {
				began[k] = true
				if over[k] {
					t.Errorf("%s fires after its end", k)
				}
			} else {
				over[k] = true
			}
		}
	}
	twice := 0
	for _, n := range repeated {
		if n > 1 {
			twice++
		}
	}
	if len(over) != deliveryAlerts {
		t.Errorf("the ends of %d of %d alerts arrived", len(over), deliveryAlerts)
	}
	if c.most > outbox.PerEndpoint {
		t.Errorf("%d posts at once", c.most)
	}
	t.Logf("%d kills: %d posts, %d accepted (%d of them again), the begin of %d and the end of %d of %d alerts; at most %d posts at once",
		killed, c.posts, len(c.accepted), twice, len(began), len(over), deliveryAlerts, c.most)
	return c
}

// deliveryLife runs the victim for so many ticks and a moment more, or until it is done.
func deliveryLife(t *testing.T, dir, url string, ticks int, moment time.Duration) (killed bool) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestDeliveryVictim$")
	cmd.Env = append(os.Environ(), "BASELINER_TEST_DELIVERY_DIR="+dir, "BASELINER_TEST_DELIVERY_URL="+url)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var all bytes.Buffer
	seen, chunk := 0, make([]byte, 4096)
	for seen < ticks {
		n, err := out.Read(chunk)
		all.Write(chunk[:n])
		seen += bytes.Count(chunk[:n], []byte("tick "))
		if err != nil {
			break
		}
	}
	if seen >= ticks {
		time.Sleep(moment)
		_ = cmd.Process.Kill() // it may have ended
	}
	_, _ = io.Copy(&all, out)
	err = cmd.Wait()
	if err != nil && cmd.ProcessState.ExitCode() > 0 {
		t.Fatalf("the victim failed by itself: %s%s", all.String(), stderr.String())
	}
	return err != nil
}
