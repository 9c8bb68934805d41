package demo

import (
	"math"
	"math/rand/v2"
	"time"
)

// Busiest is how many visitors come a second in the busiest hour, before growth.
const Busiest = 120.0

// route is a page of the shop.
type route struct {
	name     string
	perVisit float64
	median   float64 // seconds, without the database
	queries  float64 // of the database, one after the other
	latency  *histogram
	ok, bad  *float64 // requests by status
}

// query is one of the statements that the database runs.
type query struct {
	id      string
	perPage map[string]float64
	median  float64 // seconds
	slow    float64 // by how much the incident slows it down
	calls   *float64
	seconds *float64
	rows    *float64
}

// Shop is the simulation. Its pages are those of a machine with containers, of the database, and of the shop.
type Shop struct {
	Node, Database, Service *Page

	rng        *rand.Rand
	zone       *time.Location
	began, now time.Time
	release    time.Time
	faults     [][2]time.Time

	demand, speed, machine wander
	routes                 []*route
	queries                []*query
	m                      meters
}

// New opens the shop at an instant, with history before it: counters do not begin at zero. end is when the history of the
// demo ends; the release was before it. Hours are those of the zone.
func New(seed uint64, began, end time.Time, zone *time.Location) *Shop {
	s := &Shop{
		Node: &Page{Job: "node"}, Database: &Page{Job: "postgres"}, Service: &Page{Job: "shop"},
		rng: rand.New(rand.NewPCG(seed, 0x5e0b)), zone: zone, began: began, now: began, release: end.Add(-releaseAge),
		demand:  wander{deviation: 0.05, tau: 1800},
		speed:   wander{deviation: 0.04, tau: 600},
		machine: wander{deviation: 0.06, tau: 900},
		routes: []*route{
			{name: "/", perVisit: 1.6, median: 0.022, queries: 1},
			{name: "/product", perVisit: 3.2, median: 0.03, queries: 2},
			{name: "/cart", perVisit: 0.5, median: 0.035, queries: 2},
			{name: "/checkout", perVisit: 0.16, median: 0.12, queries: 6},
		},
		queries: []*query{
			{id: "4031", perPage: map[string]float64{"/": 1, "/product": 2}, median: 0.002, slow: 1.3},
			{id: "5172", perPage: map[string]float64{"/cart": 2, "/checkout": 2}, median: 0.004, slow: 1.6},
			{id: "7719", perPage: map[string]float64{"/checkout": 4}, median: 0.011, slow: 45},
		},
	}
	s.buildPages()
	s.step(time.Hour) // what the counters have before anybody looks
	return s
}

// Now is how far the simulation is.
func (s *Shop) Now() time.Time { return s.now }

// Break slows the database down in [from, to). Faults are told before time gets there.
func (s *Shop) Break(from, to time.Time) { s.faults = append(s.faults, [2]time.Time{from, to}) }

// Advance lets the shop run up to an instant, in steps that are no longer than step.
func (s *Shop) Advance(to time.Time, step time.Duration) {
	for s.now.Before(to) {
		dt := min(step, to.Sub(s.now))
		s.now = s.now.Add(dt)
		s.step(dt)
	}
}

// ill is how much of the incident there is at the moment, 0 to 1.
func (s *Shop) ill() float64 {
	for _, f := range s.faults {
		if s.now.After(f[0]) && !s.now.After(f[1]) {
			return 1
		}
	}
	return 0
}

// step lets dt pass, which ends now.
func (s *Shop) step(dt time.Duration) {
	sec := dt.Seconds()
	local := s.now.In(s.zone)
	released := !s.now.Before(s.release)
	weeks := s.now.Sub(s.began).Hours() / 168
	ill := s.ill()

	busy := season(local) * math.Pow(1+growth, weeks) * s.demand.step(s.rng, sec)
	slow := s.speed.step(s.rng, sec) * (1 + 0.25*busy)
	if released {
		slow *= 0.9
	}
	visits := poisson(s.rng, Busiest*busy*sec)
	*s.m.visits += visits

	perQuery := map[string]float64{} // seconds that the database takes for one request of a route
	calls, total := 0.0, 0.0
	for _, q := range s.queries {
		each := q.median * slow * (1 + ill*(q.slow-1))
		n := 0.0
		for _, r := range s.routes {
			perQuery[r.name] += q.perPage[r.name] * each
			n += q.perPage[r.name] * r.perVisit * visits
		}
		calls += n
		*q.calls += n
		*q.seconds += n * each * math.Exp(0.03*s.rng.NormFloat64())
		*q.rows += n
		total += n * each
	}
	requests, inFlight := 0.0, 0.0
	for _, r := range s.routes {
		n := binomialOrPoisson(s.rng, visits, r.perVisit)
		median := r.median*slow + perQuery[r.name]
		failed := binomial(s.rng, n, 0.0012+0.004*ill*b2f(r.name == "/checkout"))
		r.latency.observe(s.rng, n, median, 0.35)
		*r.ok, *r.bad = *r.ok+n-failed, *r.bad+failed
		requests += n
		inFlight += n / sec * median
		if r.name == "/checkout" {
			s.sell(n, median)
		}
	}
	*s.m.inFlight = poisson(s.rng, inFlight)
	s.stepDatabase(sec, calls, total, ill)
	s.stepMachine(sec, requests, busy, ill, released)
}

// sell turns checkouts into orders: the longer one takes, the fewer wait.
func (s *Shop) sell(checkouts, median float64) {
	*s.m.checkouts += checkouts
	patience := 1 / (1 + math.Pow(median/1.9, 3)) //nolint:staticcheck // a power, not a product
	orders := binomial(s.rng, checkouts, 0.64*patience)
	*s.m.orders += orders
	*s.m.revenue += orders*54 + math.Sqrt(orders)*38*s.rng.NormFloat64()*b2f(orders > 3)
}

// observe puts n requests into the histogram, whose durations are lognormal.
func (h *histogram) observe(r *rand.Rand, n, median, sigma float64) {
	*h.count += n
	*h.sum += n * median * math.Exp(sigma*sigma/2)
	left, below, cumulated := n, 0.0, 0.0
	for i, le := range h.bounds {
		p := 0.5 * math.Erfc(-math.Log(le/median)/(sigma*math.Sqrt2))
		k := binomial(r, left, (p-below)/max(1-below, 1e-12))
		left, below, cumulated = left-k, p, cumulated+k
		*h.buckets[i] += cumulated
	}
	*h.buckets[len(h.bounds)] += n
}

// binomialOrPoisson draws events of which each of n causes per on average.
func binomialOrPoisson(r *rand.Rand, n, per float64) float64 {
	if per < 1 {
		return binomial(r, n, per)
	}
	return poisson(r, n*per)
}

func b2f(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
