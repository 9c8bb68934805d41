package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"time"
)

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed static
var staticFiles embed.FS

// pages are the parsed templates and the static files, each with the tag by which browsers know whether it changed.
type pages struct {
	templates *template.Template
	static    fs.FS
	tags      map[string]string
}

func newPages() (*pages, error) {
	t, err := template.New("").ParseFS(templateFiles, "templates/*.html")
	if err != nil {
		return nil, err
	}
	static, err := fs.Sub(staticFiles, "static")
	if err != nil {
		return nil, err
	}
	p := &pages{templates: t, static: static, tags: map[string]string{}}
	return p, fs.WalkDir(static, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(static, path)
		sum := sha256.Sum256(b)
		p.tags[path] = `"` + hex.EncodeToString(sum[:8]) + `"`
		return err
	})
}

// pageRoutes use relative links only, so that they work behind any proxy and prefix.
func (h *handler) pageRoutes() {
	h.route("GET /{$}", http.HandlerFunc(h.overviewPage))
	h.route("GET /signal", http.HandlerFunc(h.signalPage))
	if h.Incidents != nil {
		h.route("GET /incident", http.HandlerFunc(h.incidentPage))
	}
	h.route("GET /static/", http.StripPrefix("/static/", http.HandlerFunc(h.pages.serveStatic)))
	h.route("GET /favicon.ico", http.RedirectHandler("static/favicon.svg", http.StatusFound))
}

func (p *pages) serveStatic(w http.ResponseWriter, r *http.Request) {
	tag, ok := p.tags[r.URL.Path]
	b, err := fs.ReadFile(p.static, r.URL.Path)
	if !ok || err != nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("ETag", tag)
	w.Header().Set("Cache-Control", "no-cache") // ask, and be told 304: an upgrade shows at once
	http.ServeContent(w, r, r.URL.Path, time.Time{}, bytes.NewReader(b))
}

// render writes a page, or an error instead of half a page.
func (h *handler) render(w http.ResponseWriter, code int, name string, data any) {
	var b bytes.Buffer
	if err := h.pages.templates.ExecuteTemplate(&b, name, data); err != nil {
		h.Logger.Error("page not rendered; the browser gets an error", "page", name, "err", err)
		http.Error(w, "page not rendered, see the log", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	if _, err := w.Write(b.Bytes()); err != nil {
		h.Logger.Debug("page not written; the browser is gone", "page", name, "err", err)
	}
}

// clock writes times in the zone of the instance, with the day when it is another one.
type clock struct {
	now  time.Time
	zone *time.Location
}

func newClock(now time.Time, zone string) clock {
	loc, err := time.LoadLocation(zone)
	if err != nil {
		loc = time.UTC
	}
	return clock{now.In(loc), loc}
}

func (c clock) at(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	t = t.In(c.zone)
	if t.Format(time.DateOnly) == c.now.Format(time.DateOnly) {
		return t.Format("15:04")
	}
	return t.Format("Mon 2 Jan 15:04")
}

func (c clock) ago(t time.Time) string { return formatSpan(c.now.Sub(t)) }

// formatSpan writes a duration in its one or two largest units.
func formatSpan(d time.Duration) string {
	switch d = max(0, d.Round(time.Second)); {
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
	default:
		return fmt.Sprintf("%d days", int(d.Hours()/24))
	}
}
