package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// progress draws a bar on a terminal, and says nothing elsewhere.
type progress struct {
	w           io.Writer
	title       string // in front of the bar
	first, last int64
	began, next time.Time
	drawn       bool
}

func newProgress(w io.Writer, first, last int64) *progress {
	if f, ok := w.(*os.File); ok {
		if info, err := f.Stat(); err != nil || info.Mode()&os.ModeCharDevice == 0 {
			w = nil
		}
	}
	return &progress{w: w, first: first, last: last, began: time.Now()}
}

// at shows how far the instant t has come.
func (p *progress) at(t int64, points int) {
	if p.w == nil || points%256 != 0 {
		return
	}
	now := time.Now()
	if now.Before(p.next) {
		return
	}
	p.next, p.drawn = now.Add(200*time.Millisecond), true
	title := ""
	if p.title != "" {
		title = fmt.Sprintf("%-16s ", p.title)
	}
	part := float64(t-p.first) / float64(max(p.last-p.first, 1))
	elapsed := now.Sub(p.began)
	var notes []string
	if points > 0 {
		notes = append(notes, fmt.Sprintf("%.0f points/s", float64(points)/elapsed.Seconds()))
	}
	if part > 0.01 { // before that it is a guess
		left := time.Duration(float64(elapsed) * (1 - part) / part).Round(time.Second)
		notes = append(notes, left.String()+" left")
	}
	line := fmt.Sprintf("%s[%-40s] %3.0f %%  %s", title, strings.Repeat("=", int(part*40)), part*100, strings.Join(notes, ", "))
	fmt.Fprintf(p.w, "\r%-96s", line)
}

func (p *progress) done() {
	if p.drawn {
		fmt.Fprintf(p.w, "\r%-96s\r", "")
	}
}
