package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	commonconfig "github.com/prometheus/common/config"
)

const (
	defaultTimeout   = 10 * time.Second
	responseRead     = 64 << 10 // bytes of an answer that are read, so that the connection can be used again
	responseLog      = 512      // bytes of an answer that a person gets to see
	longestRetryWait = time.Hour
	mostRedirects    = 3
)

// SenderOptions are where and how to post.
type SenderOptions struct {
	URL     string
	URLFile string // read before each post, instead of URL
	Timeout time.Duration
	HTTP    commonconfig.HTTPClientConfig
	Agent   string // User-Agent
	// SecretFile holds the keys that sign messages, read before each post; "" signs none.
	SecretFile string
	// RoutingKeyFile holds the key that PagerDuty knows its service by, read before each post and put into the body.
	RoutingKeyFile string
	// Connections is how many may be open to one address at once; 0 is no limit.
	Connections int
}

// Sender posts bodies to one receiver. It is safe for concurrent use.
type Sender struct {
	o      SenderOptions
	client *http.Client
}

// Class of a failure, for metrics.
type Class string

// The classes.
const (
	ClassClient    Class = "clientError"
	ClassServer    Class = "serverError"
	ClassAuth      Class = "authError"
	ClassRateLimit Class = "rateLimited"
	ClassRedirect  Class = "redirect"
	ClassTimeout   Class = "contextDeadlineExceeded"
	ClassCanceled  Class = "contextCanceled"
	ClassOther     Class = "other"
)

// Failure is a post that was not accepted. It never shows what may be secret in the URL.
//
//nolint:errname // it is what a Send failed with, not a kind of error
type Failure struct {
	Class      Class
	Status     int           // of the answer; 0 when there was none
	RetryAfter time.Duration // what the receiver asked for; 0 for nothing
	Err        error
}

func (f *Failure) Error() string { return f.Err.Error() }
func (f *Failure) Unwrap() error { return f.Err }

// Code is the status of the answer, 0 when there was none.
func (f *Failure) Code() int { return f.Status }

// Reason names the class, for metrics.
func (f *Failure) Reason() string { return string(f.Class) }

// Pause is how long the receiver asked to be left alone; 0 for nothing.
func (f *Failure) Pause() time.Duration { return f.RetryAfter }

// NewSender prepares a client. Redirects are failures unless the configuration follows them, and then still those that
// would make a GET of the post and lose the notification.
func NewSender(name string, o SenderOptions) (*Sender, error) {
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	var opts []commonconfig.HTTPClientOption
	if o.Connections > 0 {
		limit := &connections{most: o.Connections, slots: map[string]chan struct{}{}}
		opts = append(opts, commonconfig.WithDialContextFunc(limit.dial))
	}
	c, err := commonconfig.NewClientFromConfig(o.HTTP, name, opts...)
	if err != nil {
		return nil, fmt.Errorf("http client of receiver %s: %w", name, err)
	}
	if o.HTTP.FollowRedirects {
		c.CheckRedirect = func(req *http.Request, via []*http.Request) error {
			if req.Method != http.MethodPost || len(via) > mostRedirects {
				return http.ErrUseLastResponse
			}
			return nil
		}
	}
	return &Sender{o, c}, nil
}

// Send posts a body once, under an id that is the same whenever the same body is sent. Any error is a *Failure.
func (s *Sender) Send(ctx context.Context, id string, body []byte) error {
	ctx, cancel := context.WithTimeout(ctx, s.o.Timeout)
	defer cancel()
	target := s.o.URL
	if s.o.URLFile != "" {
		b, err := os.ReadFile(s.o.URLFile)
		if err != nil {
			return &Failure{Class: ClassOther, Err: fmt.Errorf("read url_file: %w", err)}
		}
		target = strings.TrimSpace(string(b))
		if target == "" {
			return &Failure{Class: ClassOther, Err: errors.New("read url_file: it is empty")}
		}
	}
	var keys [][]byte
	if s.o.SecretFile != "" {
		var err error
		if keys, err = ReadSecrets(s.o.SecretFile); err != nil {
			return &Failure{Class: ClassOther, Err: err}
		}
	}
	if s.o.RoutingKeyFile != "" {
		var err error
		if body, err = withRoutingKey(body, s.o.RoutingKeyFile); err != nil {
			return &Failure{Class: ClassOther, Err: err}
		}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return &Failure{Class: ClassOther, Err: errors.New("post: the url is not one")} // the error would show it
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", s.o.Agent)
	sign(req.Header, keys, id, time.Now(), body)
	resp, err := s.client.Do(req)
	if err != nil {
		return &Failure{Class: classOf(err), Err: fmt.Errorf("post: %s", redact(withoutURL(err).Error(), req.URL))}
	}
	defer resp.Body.Close()
	answer, _ := io.ReadAll(io.LimitReader(resp.Body, responseRead)) // the status has decided already
	if resp.StatusCode/100 == 2 {
		return nil
	}
	text := redact(strings.TrimSpace(string(answer)), req.URL)
	text = strings.ToValidUTF8(text[:min(len(text), responseLog)], "\ufffd")
	return &Failure{
		Class: classOfStatus(resp.StatusCode), Status: resp.StatusCode, RetryAfter: retryAfter(resp.Header, time.Now()),
		Err: fmt.Errorf("post: receiver answered %s: %q", redact(resp.Status, req.URL), text),
	}
}

func classOfStatus(code int) Class {
	switch {
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		return ClassAuth
	case code == http.StatusTooManyRequests:
		return ClassRateLimit
	case code >= 500:
		return ClassServer
	case code >= 400:
		return ClassClient
	}
	return ClassRedirect
}

func classOf(err error) Class {
	var timeout interface{ Timeout() bool }
	switch {
	case errors.Is(err, context.Canceled):
		return ClassCanceled
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return ClassTimeout
	}
	return ClassOther
}

// withoutURL strips what net/http wraps around an error: method and address.
func withoutURL(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

// redact hides what may be secret in the URL wherever a text repeats it, as error pages do: the parts of its path, the
// values of its query, its password. Short parts are words, not secrets.
func redact(text string, u *url.URL) string {
	const secretLength = 8
	parts := append(strings.Split(u.Path, "/"), strings.Split(u.EscapedPath(), "/")...)
	for _, values := range u.Query() {
		for _, v := range values {
			parts = append(parts, v, url.QueryEscape(v))
		}
	}
	parts = append(parts, u.RawQuery)
	password, _ := u.User.Password()
	parts = append(parts, u.User.Username(), password)
	slices.SortFunc(parts, func(a, b string) int { return len(b) - len(a) }) // a part may contain another
	for _, p := range parts {
		if len(p) >= secretLength {
			text = strings.ReplaceAll(text, p, "<redacted>")
		}
	}
	return text
}

// retryAfter reads seconds or a date, and takes no more than an hour seriously.
func retryAfter(h http.Header, now time.Time) time.Duration {
	v := strings.TrimSpace(h.Get("Retry-After"))
	d := time.Duration(0)
	if n, err := strconv.ParseFloat(v, 64); err == nil && n > 0 {
		d = time.Duration(min(n, longestRetryWait.Seconds()) * float64(time.Second))
	} else if at, err := http.ParseTime(v); err == nil {
		d = at.Sub(now)
	}
	return min(max(d, 0), longestRetryWait)
}
