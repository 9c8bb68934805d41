package config

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	_ "time/tzdata" // zones do not depend on the machine
)

var update = flag.Bool("update", false, "write what the loader says to the golden files")

// noEnv has no variables but those given.
func env(pairs ...string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		for i := 0; i+1 < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1], true
			}
		}
		return "", false
	}
}

// TestBad loads every broken file of testdata/bad and compares all problems with the lines of the .want file beside it.
func TestBad(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.yml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			cfg, err := Load(file, Options{LookupEnv: env("SET", "7", "PASSWORD", "hunter2hunter2")})
			if err == nil {
				t.Fatalf("loaded %s without a problem", file)
			}
			if cfg != nil {
				t.Errorf("returned a configuration beside the error")
			}
			got := strings.ReplaceAll(err.Error(), "testdata/bad/", "") + "\n"
			want := strings.TrimSuffix(file, ".yml") + ".want"
			if *update {
				if err := os.WriteFile(want, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			b, err := os.ReadFile(want)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(b) {
				t.Errorf("problems differ\ngot:\n%swant:\n%s", got, b)
			}
		})
	}
}
