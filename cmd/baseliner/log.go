package main

import (
	"context"
	"log/slog"
	"strings"
)

// quiet passes on what is at least a warning: for libraries that tell their whole life at info.
func quiet(l *slog.Logger) *slog.Logger { return slog.New(warnings{l.Handler()}) }

type warnings struct{ slog.Handler }

func (w warnings) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && w.Handler.Enabled(ctx, level) || w.Handler.Enabled(ctx, slog.LevelDebug)
}

// Handle keeps one warning to itself that is none here: a past that is filled again overlaps, and compaction sees to it.
func (w warnings) Handle(ctx context.Context, r slog.Record) error {
	if strings.HasPrefix(r.Message, "Overlapping blocks found") && !w.Handler.Enabled(ctx, slog.LevelDebug) {
		return nil
	}
	return w.Handler.Handle(ctx, r)
}

func (w warnings) WithAttrs(as []slog.Attr) slog.Handler { return warnings{w.Handler.WithAttrs(as)} }

func (w warnings) WithGroup(name string) slog.Handler { return warnings{w.Handler.WithGroup(name)} }
