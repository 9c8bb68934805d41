package outbox

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/baseliner/baseliner/pkg/alert/webhook"
)

// TestARecoveryIsNoticed lets receivers fail for a second to 71 hours, each with one, three or twenty groups waiting, and measures
// how long after its recovery each of them has heard everything.
func TestARecoveryIsNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		receivers, groups := 84, []int{1, 3, 20}
		if testing.Short() {
			receivers = 14
		}
		r := rand.New(rand.NewPCG(1, 6))
		began := time.Now()
		var mu sync.Mutex
		left, late := map[string]int{}, []time.Duration{}
		var es []Endpoint
		for i := range receivers {
			receiver := fmt.Sprint("r", i)
			// Evenly over the orders of magnitude.
			outage := time.Duration(float64(time.Second) * math.Pow(71*3600, r.Float64()))
			failure := &webhook.Failure{Class: webhook.ClassServer, Status: []int{500, 502, 503, 408, 429, 0, 307}[i%7], Err: context.DeadlineExceeded}
			left[receiver] = groups[i%3]
			es = append(es, Endpoint{
				Name: receiver + "/0", Receiver: receiver, SendResolved: true, Encode: encode,
				Send: func(context.Context, string, []byte) error {
					time.Sleep(10 * time.Millisecond)
					recovered := began.Add(outage)
					if time.Now().Before(recovered) {
						return failure
					}
					mu.Lock()
					defer mu.Unlock()
					if left[receiver]--; left[receiver] == 0 {
						late = append(late, time.Since(recovered))
					}
					return nil
				},
			})
		}
		b := prepared(create(t), es, Limits{}).run(t)
		defer b.stop()
		for i := range receivers {
			for k := range groups[i%3] {
				b.tell(t, told(fmt.Sprint("r", i), fmt.Sprint("g", k), "a"))
			}
		}
		pass(72*time.Hour - time.Minute)
		if len(late) != receivers || len(b.Dead()) > 0 {
			t.Errorf("%d of %d receivers have heard everything, dead letters %v", len(late), receivers, b.Dead())
		}
		slices.Sort(late)
		if worst := late[len(late)-1]; worst > 5*time.Minute {
			t.Errorf("a receiver heard everything %s after its recovery, want 5m at most", worst)
		}
		t.Logf("%d receivers that failed for a second to 71 hours (%d, %d, … ): all heard %s after the recovery (p50), %s (p99), %s at most", receivers, http.StatusInternalServerError, http.StatusTooManyRequests,
			late[len(late)/2].Round(time.Second), late[len(late)*99/100].Round(time.Second), late[len(late)-1].Round(time.Second))
	})
}
