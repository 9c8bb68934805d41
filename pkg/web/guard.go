package web

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// Any page in a browser can send requests to an address of the machine it runs on. Two guards stand against that: the
// Host header must name us, or else a foreign name that resolves to 127.0.0.1 reads everything (DNS rebinding), and
// requests that change state must not come from another origin.

// contentPolicy allows what we ship and nothing else: no inline scripts or styles, no foreign host, no frames.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

func secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", contentPolicy)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("X-Frame-Options", "DENY")
		w.Header().Set("Referrer-Policy", "same-origin")
		next.ServeHTTP(w, r)
	})
}

// sameOrigin refuses state-changing requests that a browser sends for another site. Clients that are no browsers do
// not send Origin or Sec-Fetch-Site, and pass.
func (h *handler) sameOrigin(next http.Handler) http.Handler {
	guard := http.NewCrossOriginProtection()
	if u := h.ExternalURL; u != nil && u.Host != "" {
		if err := guard.AddTrustedOrigin(u.Scheme + "://" + u.Host); err != nil {
			h.Logger.Warn("external URL is no origin; browsers behind a proxy may be refused", "url", u.Redacted(), "err", err)
		}
	}
	guard.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "cross-origin request refused", http.StatusForbidden)
	}))
	return guard.Handler(next)
}

// listenerKey is where Server keeps the address of the listener that accepted the connection.
type listenerKey struct{}

// onLoopback reports whether only this machine can connect to the listener. Not knowing counts as yes.
func onLoopback(ctx context.Context) bool {
	addr, ok := ctx.Value(listenerKey{}).(net.Addr)
	if !ok {
		return true
	}
	tcp, ok := addr.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

// knownHost refuses Host headers that are neither this machine nor one of the names we are configured with. It guards
// loopback listeners only: behind a service or an ingress nobody knows by which names we go.
func knownHost(names map[string]bool, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if host := hostOf(r.Host); onLoopback(r.Context()) && !names[host] && !isLoopbackName(host) {
			http.Error(w, "unknown Host header: set --web.external-url to the URL you use", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// hostNames are the names of the listen addresses and of the external URL.
func hostNames(listen []string, external *url.URL) map[string]bool {
	names := map[string]bool{}
	for _, a := range listen {
		if host := hostOf(a); host != "" {
			names[host] = true
		}
	}
	if external != nil && external.Host != "" {
		names[strings.ToLower(external.Hostname())] = true
	}
	return names
}

// hostOf drops the port and the brackets of an IPv6 address.
func hostOf(hostport string) string {
	if host, _, err := net.SplitHostPort(hostport); err == nil {
		hostport = host
	}
	hostport = strings.TrimSuffix(strings.TrimPrefix(hostport, "["), "]")
	return strings.ToLower(strings.TrimSuffix(hostport, "."))
}

func isLoopbackName(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}
