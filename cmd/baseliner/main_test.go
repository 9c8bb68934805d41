package main

import (
	"strings"
	"testing"
)

// Who asks for help is helped, and nothing else happens: no instance is started, nothing required is missed.
func TestHelpOnlyHelps(t *testing.T) {
	t.Parallel()
	commands := []string{"run", "check", "demo", "backfill", "backtest", "causes", "dlq", "silence", "explain", "unlearn", "report", "version"}
	for _, c := range commands {
		status, stdout, stderr := command(t, c, "--help")
		if status != 0 || stderr != "" || strings.Count(stdout, "usage: baseliner "+c) != 1 {
			t.Errorf("%s --help: exit %d\n%s%s", c, status, stdout, stderr)
		}
	}
	top := must(t, "--help")
	if n := strings.Count(top, "usage: "); n != 1 {
		t.Errorf("--help tells the usage %d times:\n%s", n, top)
	}
	for _, c := range commands {
		if !strings.Contains(top, "\n"+c+" ") && !strings.Contains(top, "\n"+c+"\n") {
			t.Errorf("--help does not name %s", c)
		}
	}
	if said, line := must(t, "version"), must(t, "--version"); said != line {
		t.Errorf("version says %q, --version %q", said, line)
	}
}
