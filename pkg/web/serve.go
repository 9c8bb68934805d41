package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	toolkit "github.com/prometheus/exporter-toolkit/web"

	"github.com/baseliner/baseliner/pkg/ingest"
)

// What a server grants a client. A header takes seconds, an answer half a minute, a pause between requests a minute.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 30 * time.Second
	writeTimeout      = 30 * time.Second
	idleTimeout       = 60 * time.Second
	maxHeaderBytes    = 64 << 10
	maxConnections    = 512

	// stopping takes at most the sum: requests may end by themselves, then they are cancelled and waited for.
	drainTimeout  = 4 * time.Second
	cancelTimeout = time.Second
)

// Server serves one handler on any number of listeners.
type Server struct {
	Handler    http.Handler
	Logger     *slog.Logger // nil discards
	ConfigFile string       // exporter-toolkit web configuration with TLS and users; "" is plain HTTP
}

// Listen opens the addresses, all or none.
func Listen(ctx context.Context, addrs ...string) ([]net.Listener, error) {
	var config net.ListenConfig
	listeners := make([]net.Listener, 0, len(addrs))
	for _, addr := range addrs {
		l, err := config.Listen(ctx, "tcp", addr)
		if err != nil {
			for _, open := range listeners {
				err = errors.Join(err, open.Close())
			}
			return nil, err
		}
		listeners = append(listeners, l)
	}
	return listeners, nil
}

// ValidateConfigFile reports whether the web configuration can be used.
func ValidateConfigFile(file string) error {
	if err := toolkit.Validate(file); err != nil {
		return fmt.Errorf("web configuration %q: %w", file, err)
	}
	return nil
}

// Run serves until the context ends or a listener fails, then stops within five seconds. It closes the listeners and
// returns after all of its requests did; nil if the context ended it.
func (s Server) Run(ctx context.Context, listeners ...net.Listener) error {
	if s.Logger == nil {
		s.Logger = slog.New(slog.DiscardHandler)
	}
	requests, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	var inFlight sync.WaitGroup
	counted := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		inFlight.Add(1)
		defer inFlight.Done()
		s.Handler.ServeHTTP(w, r)
	})
	servers := make([]*http.Server, len(listeners))
	ended := make(chan error, len(listeners))
	for i, l := range listeners {
		servers[i] = s.server(requests, counted)
		go func() { ended <- s.serve(servers[i], l) }()
	}
	var err error
	running := len(listeners)
	select {
	case <-ctx.Done():
	case err = <-ended:
		running--
	}
	s.stop(servers, cancel, &inFlight)
	for ; running > 0; running-- {
		err = errors.Join(err, <-ended)
	}
	return err
}

// server is one per listener, as the toolkit wraps the handler of each.
func (s Server) server(requests context.Context, next http.Handler) *http.Server {
	return &http.Server{
		Handler:           next,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(s.Logger.Handler(), slog.LevelDebug),
		BaseContext: func(l net.Listener) context.Context {
			return context.WithValue(requests, listenerKey{}, l.Addr())
		},
	}
}

func (s Server) serve(server *http.Server, l net.Listener) error {
	addr := l.Addr().String()
	l = ingest.Crowd(l, maxConnections)
	defer l.Close()
	err := toolkit.Serve(l, server, &toolkit.FlagConfig{WebConfigFile: &s.ConfigFile}, s.Logger)
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve %s: %w", addr, err)
}

// stop drains all servers at once, then cancels what is left.
func (s Server) stop(servers []*http.Server, cancel context.CancelFunc, inFlight *sync.WaitGroup) {
	drain, done := context.WithTimeout(context.Background(), drainTimeout)
	defer done()
	var wg sync.WaitGroup
	for _, server := range servers {
		wg.Go(func() {
			if server.Shutdown(drain) == nil {
				return
			}
			cancel()
			if err := server.Close(); err != nil {
				s.Logger.Warn("connections not closed", "err", err)
			}
		})
	}
	wg.Wait()
	cancel()
	left := make(chan struct{})
	go func() { inFlight.Wait(); close(left) }()
	select {
	case <-left:
	case <-time.After(cancelTimeout):
		s.Logger.Warn("requests did not end when cancelled; stopping without them")
	}
}
