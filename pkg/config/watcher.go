package config

import "time"

// settle is how long content must have stayed the same before it is loaded: an editor may be half-way through it.
const settle = time.Second

// Watcher notices when a configuration changes: the content of its file or of one that it names. Mounted ConfigMaps are
// swapped by symbolic link, which modification times miss. It is for one goroutine.
type Watcher struct {
	path  string
	opts  Options
	files []string
	seen  string // the content that was loaded last, whether or not it was valid

	changed string // the content that waits to settle
	since   time.Time
}

// NewWatcher watches what a configuration was loaded from.
func NewWatcher(cfg *Config, opts Options) *Watcher {
	return &Watcher{path: cfg.File, opts: opts, files: cfg.files, seen: cfg.hash}
}

// Poll looks at the files. When their content differs from that loaded last and has not changed for a second, it loads
// it: changed is true, and either the configuration or its *Errors is returned. The same content is loaded once.
func (w *Watcher) Poll(now time.Time) (changed bool, cfg *Config, err error) {
	content := w.content()
	if content == w.seen {
		w.changed = ""
		return false, nil, nil
	}
	if content != w.changed {
		w.changed, w.since = content, now
	}
	if now.Sub(w.since) < settle {
		return false, nil, nil
	}
	cfg, err = w.Reload()
	return true, cfg, err
}

// Reload loads the configuration now, changed or not, as on a signal.
func (w *Watcher) Reload() (*Config, error) {
	cfg, src, err := load(w.path, w.opts)
	w.files, w.seen, w.changed = src.files, src.hash, ""
	return cfg, err
}

func (w *Watcher) content() string {
	b, err := readFile(w.path, maxBytes)
	if err != nil {
		return err.Error()
	}
	return fingerprint(b, w.files)
}
