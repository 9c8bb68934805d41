package config

import (
	"net"

	promclient "github.com/prometheus/common/config"
)

// Ingest says who may send samples. Scraping has its own place.
type Ingest struct {
	RemoteWrite bool   // POST /api/v1/write
	OTLPGRPC    string // host:port; "" is off
	OTLPHTTP    string // host:port of POST /v1/metrics, which is also served beside the pages; "" is off
	TokenFile   string // of POST /api/baseliner/v1/business; "" is off
}

func (l *loader) ingest(s *ingestSchema) {
	l.cfg.Ingest = Ingest{
		RemoteWrite: s.RemoteWrite.Enabled,
		OTLPGRPC:    l.endpoint("ingest.otlp.grpc.endpoint", s.OTLP.GRPC.Endpoint, "4317"),
		OTLPHTTP:    l.endpoint("ingest.otlp.http.endpoint", s.OTLP.HTTP.Endpoint, "4318"),
	}
	if s.Business.Enabled {
		l.cfg.Ingest.TokenFile = promclient.JoinDir(l.dir, s.Business.TokenFile)
		if s.Business.TokenFile == "" {
			l.fail("ingest.business.token_file", "a file that holds what senders have to know", "is missing")
		}
	}
	if a, b := l.cfg.Ingest.OTLPGRPC, l.cfg.Ingest.OTLPHTTP; a != "" && a == b {
		if _, port, _ := net.SplitHostPort(a); port != "0" {
			l.fail("ingest.otlp.http.endpoint", "", "%s is that of gRPC", b)
		}
	}
}

// endpoint checks an address to listen on.
func (l *loader) endpoint(path, address, port string) string {
	if l.has(path) {
		if _, _, err := net.SplitHostPort(address); err != nil {
			l.fail(path, "write 127.0.0.1:"+port, "%q is not host:port", address)
		}
	}
	return address
}
