package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every test that docs/bad-inputs.md names is there, in the package that it names last before.
func TestBadInputsAreHeld(t *testing.T) {
	text, err := os.ReadFile("../../docs/bad-inputs.md")
	if err != nil {
		t.Fatal(err)
	}
	quoted := regexp.MustCompile("`([^`]+)`")
	named := 0
	for row := range strings.Lines(string(text)) {
		cells := strings.Split(row, "|")
		if len(cells) < 5 {
			continue
		}
		var dirs []string
		fresh := true
		for _, m := range quoted.FindAllStringSubmatch(cells[3], -1) {
			if strings.HasPrefix(m[1], "pkg/") || strings.HasPrefix(m[1], "cmd/") {
				if !fresh {
					dirs, fresh = nil, true
				}
				dirs = append(dirs, m[1])
				continue
			}
			fresh = false
			named++
			for _, dir := range dirs {
				files, _ := filepath.Glob(filepath.Join("../..", dir, "*_test.go"))
				if out, err := exec.Command("grep", append([]string{"-l", "^func " + m[1] + "("}, files...)...).CombinedOutput(); err != nil {
					t.Errorf("%s has no %s: %s", dir, m[1], out)
				}
			}
		}
	}
	if named < 40 {
		t.Errorf("only %d tests are named", named)
	}
}
