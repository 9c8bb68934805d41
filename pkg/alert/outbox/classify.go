package outbox

import (
	"errors"
	"math/rand/v2"
	"net/http"
	"time"
)

// class says what a failed attempt means.
type class int

const (
	// trouble is the endpoint's: it is left alone for a while, whatever waits for it. Network, timeouts, redirects, 408,
	// 425, 429 and 5xx.
	trouble class = iota
	// refused is this message's, or so it seems: a dead database behind a receiver, a token that is being rotated and an
	// ingress without its backend answer 4xx as well. It is tried again a few times.
	refused
	tooLarge // 413
	gone     // 410: the endpoint wants nothing any more
)

// answered is an error that knows its status, its class for metrics, and what the receiver asked for.
type answered interface {
	error
	Code() int            // 0 when there was no answer
	Reason() string       // for metrics
	Pause() time.Duration // 0 for nothing
}

// failure is what an attempt failed with.
type failure struct {
	class  class
	status int
	reason string
	pause  time.Duration
}

func classify(err error) failure {
	f := failure{reason: "other"}
	a, ok := errors.AsType[answered](err)
	if !ok {
		return f
	}
	f.status, f.reason, f.pause = a.Code(), a.Reason(), a.Pause()
	switch code := f.status; {
	case code == http.StatusGone:
		f.class = gone
	case code == http.StatusRequestEntityTooLarge:
		f.class = tooLarge
	case code == http.StatusRequestTimeout, code == http.StatusTooEarly, code == http.StatusTooManyRequests:
	case code/100 == 4:
		f.class = refused
	}
	return f
}

// The tiers. At once: what a restart of the receiver or a lost packet needs. Delayed: until it is accepted or too old.
var immediate = [...]time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second}

const (
	firstDelay = 5 * time.Second
	longDelay  = 5 * time.Minute
	// A delivery is given up at an age of giveUpAt, but never before leastAttempts at its endpoint: neither a jump of the
	// clock nor a long downtime of our own gives up what was hardly tried.
	giveUpAt      = 72 * time.Hour
	leastAttempts = 12
	// longestWait is the longest that a receiver or the back-off can ask for; later than that is a clock that went back.
	longestWait = time.Hour
)

// refusals are the pauses after attempts that the receiver found fault with; then it is a dead letter.
var refusals = [...]time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute}

// pauseAfter is how long to wait after so many attempts, at least one: between half and one and a half times the pause
// of the first tier, then between nothing and all of a pause that doubles.
func pauseAfter(attempts int) time.Duration {
	if attempts <= len(immediate) {
		d := immediate[attempts-1]
		return d/2 + rand.N(d)
	}
	d := min(firstDelay<<min(attempts-len(immediate)-1, 16), longDelay)
	return max(rand.N(d), time.Second)
}

// circuit leaves an endpoint alone that fails whatever is sent to it.
type circuit struct {
	failures int   // in a row
	until    int64 // unix milliseconds: nothing is sent before
}

const (
	breakAfter   = 5 // failures in a row open the circuit
	longestProbe = time.Minute
)

// open says whether only one probe may be on its way.
func (c *circuit) open() bool { return c.failures >= breakAfter }

// failed takes up a failure of the endpoint. pause is what it asked for.
func (c *circuit) failed(now int64, pause time.Duration) {
	c.failures++
	if c.open() {
		d := min(firstDelay<<min(c.failures-breakAfter, 16), longestProbe)
		pause = max(pause, d/2+rand.N(d/2))
	}
	c.until = max(c.until, now+min(pause, longestWait).Milliseconds())
}

// worked says whether the circuit was open until now.
func (c *circuit) worked() bool {
	was := c.open()
	if was {
		c.until = 0 // else it may be what another attempt was just asked for
	}
	c.failures = 0
	return was
}
