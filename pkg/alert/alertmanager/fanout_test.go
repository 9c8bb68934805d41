package alertmanager

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/alertmanager/api/v2/models"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/model/relabel"
	"go.yaml.in/yaml/v2"

	"github.com/baseliner/baseliner/pkg/alert"
)

// fake is an Alertmanager without a network: it keeps what it is posted, and refuses what it is told to.
type fake struct {
	mu     sync.Mutex
	answer func(models.PostableAlerts) int
	posts  [][]string // pods of each post, those that have ended with a minus
	last   map[string]*models.PostableAlert
}

func newFake() *fake {
	return &fake{answer: func(models.PostableAlerts) int { return 200 }, last: map[string]*models.PostableAlert{}}
}

// RoundTrip implements http.RoundTripper.
func (f *fake) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	var as models.PostableAlerts
	if err := d.Decode(&as); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	status := f.answer(as)
	if status == 0 {
		return nil, errors.New("connection refused")
	}
	if status == 200 {
		var pods []string
		for _, a := range as {
			name := a.Labels["pod"]
			f.last[name] = a
			if !time.Time(a.EndsAt).After(time.Now()) {
				name = "-" + name
			}
			pods = append(pods, name)
		}
		f.posts = append(f.posts, pods)
	}
	return &http.Response{StatusCode: status, Status: fmt.Sprint(status), Body: io.NopCloser(strings.NewReader("")), Header: http.Header{}}, nil
}

// say changes what is answered.
func (f *fake) say(answer func(models.PostableAlerts) int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer = answer
}

func (f *fake) latest(pod string) *models.PostableAlert {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.last[pod]
}

func (f *fake) heard() (all []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range f.posts {
		all = append(all, strings.Join(p, " "))
	}
	return all
}

// stage is a fan-out to fakes.
type stage struct {
	*Fanout
	mu                 sync.Mutex
	wereOver, wereLost []string
}

func (s *stage) over() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.wereOver)
}

func (s *stage) lost() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.wereLost)
}

func begin(t *testing.T, rules string, fakes ...*fake) *stage {
	t.Helper()
	s := &stage{}
	s.Fanout = New(Options{
		Agent: "baseliner/test",
		Over: func(es []alert.Episode) {
			s.mu.Lock()
			defer s.mu.Unlock()
			for _, e := range es {
				s.wereOver = append(s.wereOver, e.Labels["pod"])
			}
		},
		Lost: func(e alert.Episode, _ string) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.wereLost = append(s.wereLost, e.Labels["pod"])
		},
	})
	var rs []*relabel.Config
	if err := yaml.UnmarshalStrict([]byte(rules), &rs); err != nil {
		t.Fatal(err)
	}
	p := &plan{rules: rs, configs: make(config.AlertmanagerConfigs, 1)}
	s.plan.Store(p)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for i, f := range fakes {
		q := newPeer(fmt.Sprint("http://am", i), &url.URL{Scheme: "http", Host: fmt.Sprint("am", i), Path: "/api/v2/alerts"}, &http.Client{Transport: f}, 10*time.Second, nil)
		r := &running{q, make(chan struct{}, 1), cancel}
		s.peers[q.name] = r
		wg.Go(func() { s.run(ctx, r.peer, r.wake) })
	}
	wg.Go(func() {
		for sleep(ctx, time.Second, nil, false) {
			s.sweep()
		}
	})
	t.Cleanup(func() {
		cancel()
		wg.Wait()
	})
	return s
}

func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// episode is an alert about a pod; one with a minus ends now.
func episode(pod string, began time.Time) alert.Episode {
	name, ended := strings.CutPrefix(pod, "-")
	tr := alert.Transition{
		Firing: !ended, Labels: map[string]string{"alertname": "X", "pod": name, "replica": "1"}, Annotations: map[string]string{"summary": "s"},
		StartsAt: began.UnixMilli(), GeneratorURL: "http://baseliner.example/signal?name=x&g0.expr=up",
	}
	if ended {
		tr.EndsAt = time.Now().UnixMilli()
	}
	return alert.Episode{Transition: tr, Fingerprint: alert.Fingerprint(tr.Labels)}
}

func want(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

func TestEveryPeerIsToldAtOnceAndEveryMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newFake(), newFake()
		s := begin(t, "", a, b)
		began := time.Now()
		s.Put([]alert.Episode{episode("x", began)})
		pass(10 * time.Millisecond)
		want(t, "first peer", a.heard(), "x")
		want(t, "second peer", b.heard(), "x")
		pass(5*time.Minute + 10*time.Second)
		if n := len(a.heard()); n < 6 || n > 7 {
			t.Errorf("told %d times in five minutes", n)
		}
		x := a.latest("x")
		if ahead := time.Until(time.Time(x.EndsAt)); ahead < 3*Resend || ahead > 4*Resend {
			t.Errorf("the end is announced %s ahead", ahead)
		}
		if !time.Time(x.StartsAt).Equal(began) || x.GeneratorURL == "" || x.Annotations["summary"] != "s" {
			t.Errorf("%+v", x)
		}
		told := len(a.heard())
		s.Put([]alert.Episode{episode("-x", began)})
		ended := time.Now()
		pass(10 * time.Millisecond)
		if got := a.heard(); got[len(got)-1] != "-x" {
			t.Errorf("told %q", got)
		}
		pass(14 * time.Minute)
		want(t, "over", s.over())
		pass(2 * time.Minute)
		want(t, "over", s.over(), "x")
		if n := len(a.heard()) - told; n < 14 || n > 16 {
			t.Errorf("the end was told %d times", n)
		}
		if x := a.latest("x"); !time.Time(x.EndsAt).Equal(ended) || !time.Time(x.StartsAt).Equal(began) || x.Annotations["summary"] != "s" {
			t.Errorf("%+v", x)
		}
		told = len(a.heard())
		pass(time.Hour)
		if n := len(a.heard()); n != told {
			t.Error("what is over is told on")
		}
	})
}

func TestADeadPeerHoldsUpNobodyAndCatchesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, dead := newFake(), newFake()
		dead.say(func(models.PostableAlerts) int { return 0 })
		s := begin(t, "", a, dead)
		s.Put([]alert.Episode{episode("x", time.Now())})
		s.Put([]alert.Episode{episode("y", time.Now())})
		pass(10 * time.Minute)
		if len(a.heard()) < 10 || len(dead.heard()) != 0 {
			t.Errorf("told %q and %q", a.heard(), dead.heard())
		}
		dead.say(func(models.PostableAlerts) int { return 200 })
		pass(time.Minute + time.Second)
		if got := dead.heard(); len(got) == 0 || len(strings.Fields(got[0])) != 2 {
			t.Errorf("told %q", got)
		}
	})
}

// TestAnEndThatNobodyHeardIsKept outlasts the retention while all peers are down, and three days of it.
func TestAnEndThatNobodyHeardIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newFake()
		a.say(func(models.PostableAlerts) int { return 503 })
		s := begin(t, "", a)
		began := time.Now()
		s.Put([]alert.Episode{episode("x", began)})
		pass(time.Minute)
		s.Put([]alert.Episode{episode("-x", began)})
		pass(24 * time.Hour)
		want(t, "over", s.over())
		a.say(func(models.PostableAlerts) int { return 200 })
		pass(2 * time.Minute)
		want(t, "heard", a.heard(), "-x")
		want(t, "over", s.over(), "x")

		a.say(func(models.PostableAlerts) int { return 503 })
		s.Put([]alert.Episode{episode("-y", began)})
		pass(73 * time.Hour)
		want(t, "lost", s.lost(), "y")
	})
}

func TestARefusedBatchIsHalved(t *testing.T) {
	for _, status := range []int{400, 422, 413} {
		synctest.Test(t, func(t *testing.T) {
			a := newFake()
			a.say(func(as models.PostableAlerts) int {
				if slices.ContainsFunc(as, func(p *models.PostableAlert) bool { return p.Labels["pod"] == "bad" }) {
					return status
				}
				return 200
			})
			s := begin(t, "", a)
			var es []alert.Episode
			for i := range 600 {
				es = append(es, episode(fmt.Sprint(i), time.Now()))
			}
			es[300].Labels["pod"] = "bad"
			s.Put(es)
			pass(time.Second)
			told := map[string]bool{}
			for _, p := range a.heard() {
				pods := strings.Fields(p)
				if len(pods) > batch {
					t.Errorf("%d in one post", len(pods))
				}
				for _, pod := range pods {
					told[pod] = true
				}
			}
			if len(told) != 599 {
				t.Errorf("%d of 599 were told", len(told))
			}
			want(t, "lost after one refusal", s.lost())
			pass(2 * time.Minute)
			want(t, "lost", s.lost(), "bad")
		})
	}
}

func TestReplicaLabelsAreDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newFake()
		s := begin(t, "[{regex: replica, action: labeldrop}, {source_labels: [pod], regex: hidden, action: drop}]", a)
		s.Put([]alert.Episode{episode("x", time.Now()), episode("hidden", time.Now())})
		pass(time.Second)
		want(t, "heard", a.heard(), "x")
		if _, ok := a.latest("x").Labels["replica"]; ok {
			t.Errorf("%v", a.latest("x").Labels)
		}
	})
}

func TestGeneratorURLsThatAreNone(t *testing.T) {
	check := func(in, want string) {
		t.Helper()
		if got := sane(in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
	check("", "")
	check("http://a/b?c=d e", "http://a/b?c=d e")
	check("javascript:alert(1)", "")
	check("/signal", "")
	check("://", "")
	check("https://b.example/signal?g0.expr=rate%28x%5B5m%5D%29&g0.tab=1", "https://b.example/signal?g0.expr=rate%28x%5B5m%5D%29&g0.tab=1")
}
