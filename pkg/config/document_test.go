package config

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestUnreadable(t *testing.T) {
	check := func(path, want string) {
		t.Helper()
		_, err := Load(path, Options{})
		if err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
		if _, ok := errors.AsType[*Errors](err); !ok {
			t.Errorf("%T is not *Errors", err)
		}
	}
	check("testdata/nowhere.yml", "testdata/nowhere.yml: no such file or directory")
	check("testdata", "testdata: is a directory")

	huge := filepath.Join(t.TempDir(), "huge.yml")
	if err := os.WriteFile(huge, bytes.Repeat([]byte("#\n"), maxBytes/2+1), 0o600); err != nil {
		t.Fatal(err)
	}
	check(huge, huge+": is larger than 10 MiB")
	if _, err := LoadBytes("b", make([]byte, maxBytes+1), Options{}); err == nil || err.Error() != "b: is larger than 10 MiB" {
		t.Errorf("got %v", err)
	}
}

// TestDeep holds the loader to bounded work on input that is small to write and large to follow.
func TestDeep(t *testing.T) {
	check := func(text, want string) {
		t.Helper()
		_, err := loadString(text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	check("a: "+strings.Repeat("[", 500)+strings.Repeat("]", 500), "nested deeper than 100 levels")
	check("a: "+strings.Repeat("[", 50_000), "depth")
	check("a: &a [*a]", `anchor "a" contains itself`)
	check("a: &a {<<: *a}", `anchor "a" contains itself`)
}
