package config

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestWatcher follows a ConfigMap: a directory swapped by symbolic link, so that no modification time need change.
func TestWatcher(t *testing.T) {
	dir := t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	publish := func(version, config, token string) {
		t.Helper()
		must(os.Mkdir(filepath.Join(dir, version), 0o755))
		must(os.WriteFile(filepath.Join(dir, version, "baseliner.yml"), []byte(config), 0o644))
		must(os.WriteFile(filepath.Join(dir, version, "token"), []byte(token), 0o644))
		must(os.Symlink(version, filepath.Join(dir, "next")))
		must(os.Rename(filepath.Join(dir, "next"), filepath.Join(dir, "data")))
	}
	const job = "scrape_configs: [{job_name: a, authorization: {credentials_file: token}}]\n"
	publish("1", job, "one")
	first, err := Load(filepath.Join(dir, "data", "baseliner.yml"), Options{})
	must(err)
	w, now := NewWatcher(first, Options{}), time.Unix(1_700_000_000, 0)
	poll := func(wantChanged, wantErr bool) *Config {
		t.Helper()
		now = now.Add(5 * time.Second)
		changed, cfg, err := w.Poll(now)
		if changed != wantChanged || (err != nil) != wantErr || (cfg != nil) != (wantChanged && !wantErr) {
			t.Fatalf("got changed=%v cfg=%v err=%v, want changed=%v err=%v", changed, cfg != nil, err, wantChanged, wantErr)
		}
		return cfg
	}
	poll(false, false)

	publish("2", job+"limits: {future: 1m}\n", "one")
	poll(false, false) // seen, not yet settled
	cfg := poll(true, false)
	equal(t, "new value", cfg.Limits.Future, time.Minute)
	if cfg.Hash() == first.Hash() {
		t.Error("hash did not change")
	}
	poll(false, false)

	publish("3", job+"limits: {future: 1m}\n", "two")
	poll(false, false)
	rotated := poll(true, false) // only the file it names changed
	if rotated.Hash() == cfg.Hash() {
		t.Error("hash does not cover the file of the token")
	}

	publish("4", "limits: {futur: 1m}\n", "two")
	poll(false, false)
	poll(true, true)
	poll(false, false) // a broken file is reported once

	must(os.Remove(filepath.Join(dir, "4", "baseliner.yml")))
	poll(false, false)
	poll(true, true)
	must(os.WriteFile(filepath.Join(dir, "4", "baseliner.yml"), []byte(job), 0o644))
	must(os.Remove(filepath.Join(dir, "4", "token")))
	poll(false, false)
	poll(true, true)
	must(os.WriteFile(filepath.Join(dir, "4", "token"), []byte("three"), 0o644))
	poll(false, false)
	poll(true, false) // the missing file is watched although the configuration was refused

	if cfg, err := w.Reload(); err != nil || cfg.Hash() != w.seen {
		t.Errorf("reload: %v", err)
	}
	poll(false, false)
}

func TestSettling(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.yml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("")
	cfg, err := Load(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	w, now := NewWatcher(cfg, Options{}), time.Unix(0, 0)
	for i := range 10 { // never quiet for a second
		write(fmt.Sprintf("limits: {future: %ds}\n", i+1))
		if changed, _, _ := w.Poll(now); changed {
			t.Fatal("loaded before it settled")
		}
		now = now.Add(500 * time.Millisecond)
	}
	changed, cfg, err := w.Poll(now.Add(time.Second))
	if !changed || err != nil || cfg.Limits.Future != 10*time.Second {
		t.Errorf("got %v %v %v", changed, cfg, err)
	}
}
