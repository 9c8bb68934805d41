package ingest_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/baseliner/baseliner/pkg/ingest"
)

func TestOpenFile(t *testing.T) {
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	if _, err := z.Write([]byte("text")); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "file")
	check := func(data []byte, want string) {
		t.Helper()
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := ingest.OpenFile(path)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(f)
		if err != nil || string(got) != want {
			t.Errorf("read %q = %q, %v, want %q", data, got, err, want)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
	check(nil, "")
	check([]byte("t"), "t")
	check([]byte("text"), "text")
	check(zipped.Bytes(), "text")

	if err := os.WriteFile(path, []byte("\x1f\x8bnot gzip"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ingest.OpenFile(path); err == nil {
		t.Error("a broken gzip file was opened")
	}
}
