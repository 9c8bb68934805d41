package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/baseliner/baseliner/pkg/web"
)

// build says what was built from what.
func build() web.BuildInfo {
	b := web.BuildInfo{Version: version, GoVersion: runtime.Version()}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				b.Revision = s.Value
			case "vcs.time":
				b.BuildDate = s.Value
			}
		}
	}
	return b
}

func buildLine() string {
	b := build()
	line := fmt.Sprintf("baseliner, version %s (%s, %s/%s)", b.Version, b.GoVersion, runtime.GOOS, runtime.GOARCH)
	if b.Revision != "" {
		line += " revision " + b.Revision
	}
	return line
}
