package config

// Ingest says who may send samples. Scraping has its own place.
type Ingest struct {
	RemoteWrite bool // POST /api/v1/write
}

func (l *loader) ingest(s *ingestSchema) {
	l.cfg.Ingest = Ingest{RemoteWrite: s.RemoteWrite.Enabled}
}
