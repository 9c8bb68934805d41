package web

import (
	"errors"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"time"
)

func (h *handler) buildInfo(*http.Request) (answer, error) { return answer{data: h.Build}, nil }

func (h *handler) config(*http.Request) (answer, error) {
	return answer{data: map[string]string{"yaml": h.ConfigYAML()}}, nil
}

func (h *handler) flags(*http.Request) (answer, error) {
	flags := h.Flags
	if flags == nil {
		flags = map[string]string{}
	}
	return answer{data: flags}, nil
}

func (h *handler) tsdb(r *http.Request) (answer, error) {
	const defaultLimit, maxLimit = 10, 10_000
	limit, err := limitParam(r, "limit")
	if err == nil && limit > maxLimit {
		err = badParameter("limit", errors.New("limit must not exceed 10000"))
	}
	if err != nil {
		return answer{}, err
	}
	if h.TSDB == nil {
		return h.notYet(r)
	}
	if limit == 0 {
		limit = defaultLimit
	}
	status, err := h.TSDB(limit)
	return answer{data: status}, err
}

// runtimeInfo is in the field names of Prometheus, so that its tools read ours.
func (h *handler) runtimeInfo(*http.Request) (answer, error) {
	var info RuntimeInfo
	if h.Runtime != nil {
		info = h.Runtime()
	}
	cwd, _ := os.Getwd() // both are for people to read, and empty when the system does not tell
	host, _ := os.Hostname()
	return answer{data: struct {
		StartTime           time.Time `json:"startTime"`
		CWD                 string    `json:"CWD"`
		Hostname            string    `json:"hostname"`
		ServerTime          time.Time `json:"serverTime"`
		ReloadConfigSuccess bool      `json:"reloadConfigSuccess"`
		LastConfigTime      time.Time `json:"lastConfigTime"`
		CorruptionCount     int64     `json:"corruptionCount"`
		GoroutineCount      int       `json:"goroutineCount"`
		GOMAXPROCS          int       `json:"GOMAXPROCS"`
		GOMEMLIMIT          int64     `json:"GOMEMLIMIT"`
		GOGC                string    `json:"GOGC"`
		GODEBUG             string    `json:"GODEBUG"`
		StorageRetention    string    `json:"storageRetention"`
	}{
		info.StartTime, cwd, host, h.Now().UTC(), info.ReloadConfigSuccess, info.LastConfigTime, info.CorruptionCount,
		runtime.NumGoroutine(), runtime.GOMAXPROCS(0), debug.SetMemoryLimit(-1), os.Getenv("GOGC"), os.Getenv("GODEBUG"),
		info.StorageRetention,
	}}, nil
}
