package config

import commonconfig "github.com/prometheus/common/config"

// Remote is a server that speaks Prometheus' API, on which signals are evaluated instead of the live store.
type Remote struct {
	URL            Secret
	RemoteWriteURL Secret // where results are written back; "" is nowhere
	HTTP           commonconfig.HTTPClientConfig
}

func (l *loader) remote(r *remoteSchema) {
	if r == nil {
		return
	}
	if r.URL == "" {
		l.fail("engine.remote.url", "", "is missing")
	} else {
		l.address("engine.remote.url", r.URL.Reveal())
	}
	if r.RemoteWriteURL != "" {
		l.address("engine.remote.remote_write_url", r.RemoteWriteURL.Reveal())
	}
	if http := l.httpClient("engine.remote", r.HTTP, []string{"url", "remote_write_url"}); http != nil {
		l.cfg.Remote = &Remote{URL: r.URL, RemoteWriteURL: r.RemoteWriteURL, HTTP: *http}
	}
}
