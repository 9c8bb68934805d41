package main

import (
	"net/http"

	"github.com/baseliner/baseliner/pkg/ingest"
	"github.com/baseliner/baseliner/pkg/ingest/remotewrite"
	"github.com/baseliner/baseliner/pkg/web"
)

// What requests that bring samples may hold: one of them decoded, and all of them at once.
const (
	bodyBytes     = 16 << 20
	inFlightBytes = 64 << 20
)

// receivers are the ways in for samples over HTTP. Those that are not configured say how to.
func (i *instance) receivers() []web.Route {
	cfg := i.cfg.Load().Ingest
	memory := ingest.NewMemory(inFlightBytes)
	writing := off("remote-write is not enabled: set ingest.remote_write.enabled")
	if cfg.RemoteWrite {
		writing = remotewrite.NewHandler(remotewrite.Options{
			Logger: i.logger, Door: i.stores.door, Memory: memory, MaxBytes: bodyBytes,
		})
	}
	return []web.Route{{Pattern: "POST /api/v1/write", Handler: writing}}
}

func off(why string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, why, http.StatusNotFound) })
}
