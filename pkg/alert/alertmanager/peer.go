package alertmanager

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/relabel"

	"github.com/baseliner/baseliner/pkg/alert"
)

const (
	batch        = 256
	firstBackoff = time.Second
	longBackoff  = time.Minute
	responseRead = 64 << 10
	responseLog  = 512
)

// peer is one Alertmanager.
type peer struct {
	name    string // its address without what may be secret
	url     *url.URL
	client  *http.Client
	timeout time.Duration
	relabel []*relabel.Config

	heard   map[string]told
	refused map[string]bool // episodes that it does not take
	backoff time.Duration
}

// refusal is an answer that says that something in the post is wrong.
type refusal struct{ error }

// post sends a body once.
func (p *peer) post(ctx context.Context, agent string, body []byte) error {
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url.String(), bytes.NewReader(body))
	if err != nil {
		return errors.New("post: the address is not one")
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", agent)
	resp, err := p.client.Do(req)
	if err != nil {
		if u, ok := errors.AsType[*url.Error](err); ok {
			err = u.Err // the address may be secret
		}
		return fmt.Errorf("post: %w", err)
	}
	defer resp.Body.Close()
	answer, _ := io.ReadAll(io.LimitReader(resp.Body, responseRead)) // the status has decided already
	if resp.StatusCode/100 == 2 {
		return nil
	}
	text := strings.ToValidUTF8(string(answer[:min(len(answer), responseLog)]), "\ufffd")
	err = fmt.Errorf("post: alertmanager answered %s: %q", resp.Status, strings.TrimSpace(text))
	switch resp.StatusCode {
	case http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusRequestEntityTooLarge:
		return refusal{err}
	}
	return err
}

// tell posts episodes in batches. A batch that is refused is halved until what is wrong stands alone: the others of a
// refused batch may or may not have been taken. It stops at the first error of another kind.
func (f *Fanout) tell(ctx context.Context, p *peer, es []alert.Episode) error {
	for len(es) > 0 {
		n := min(len(es), batch)
		if err := f.tellBatch(ctx, p, es[:n]); err != nil {
			return err
		}
		es = es[n:]
	}
	return nil
}

func (f *Fanout) tellBatch(ctx context.Context, p *peer, es []alert.Episode) error {
	now := f.now().UnixMilli()
	sent := make([]alert.Episode, 0, len(es))
	visible := make([]alert.Episode, 0, len(es))
	for _, e := range es {
		if v, ok := relabelled(e, f.rules(), p.relabel); ok {
			visible = append(visible, v)
		}
		sent = append(sent, e) // what is not to be seen is settled as well
	}
	var err error
	if len(visible) > 0 {
		var body []byte
		if body, err = Encode(visible, now); err == nil {
			f.metrics.sent.WithLabelValues(p.name).Add(float64(len(visible)))
			err = p.post(ctx, f.agent, body)
		}
	}
	if r, ok := errors.AsType[refusal](err); ok {
		if len(es) == 1 {
			f.refuse(p, &es[0], r)
			return nil
		}
		half := len(es) / 2
		return errors.Join(f.tellBatch(ctx, p, es[:half]), f.tellBatch(ctx, p, es[half:]))
	}
	if err != nil {
		f.metrics.failed.WithLabelValues(p.name).Inc()
		return err
	}
	for i := range sent {
		p.heard[sent[i].Key()] = told{sent[i].Firing, now}
	}
	f.board.ack(sent)
	return nil
}

// refuse takes up that a peer does not take an episode.
func (f *Fanout) refuse(p *peer, e *alert.Episode, why error) {
	f.metrics.refused.WithLabelValues(p.name).Inc()
	p.heard[e.Key()] = told{e.Firing, f.now().UnixMilli()} // not again before a minute has passed
	if p.refused[e.Key()] {
		if f.board.refuse(e) { // it is not a mishap, and nobody else has taken it
			f.lost(*e, why.Error())
		}
		return
	}
	p.refused[e.Key()] = true
	f.logger.Warn("alertmanager refuses an alert", "peer", p.name, "alertname", e.Labels["alertname"], "err", why)
}

// run tells a peer what it has to know until the context ends.
func (f *Fanout) run(ctx context.Context, p *peer, wake <-chan struct{}) {
	failing := ""
	for {
		err := f.tell(ctx, p, f.visible(f.board.due(f.now().UnixMilli(), p.heard)))
		wait := f.pace
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			clear(p.heard) // it may be about to come back without its memory
			p.backoff = min(max(2*p.backoff, firstBackoff), longBackoff)
			wait = p.backoff
			if err.Error() != failing {
				f.logger.Warn("alertmanager was not told; it will be", "peer", p.name, "err", err)
			}
			failing = err.Error()
		default:
			if failing != "" {
				f.logger.Info("alertmanager takes alerts again", "peer", p.name)
			}
			p.backoff, failing = 0, ""
		}
		if !sleep(ctx, wait, wake, err == nil) {
			return
		}
	}
}

// sleep waits, at most until it is woken. A peer that does not answer is not asked sooner because there is news.
func sleep(ctx context.Context, d time.Duration, wake <-chan struct{}, wakeable bool) bool {
	if !wakeable {
		wake = nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-wake:
	case <-timer.C:
	}
	return true
}

func newPeer(name string, u *url.URL, client *http.Client, timeout time.Duration, rules []*relabel.Config) *peer {
	return &peer{name: name, url: u, client: client, timeout: timeout, relabel: rules, heard: map[string]told{}, refused: map[string]bool{}}
}
