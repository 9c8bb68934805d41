package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

// peer finds a program of others: in the directory that BASELINER_PEERS names, or on the PATH. Who does not have it
// misses the test, told by name; who names a directory wants it to be there.
func peer(t *testing.T, install string, names ...string) string {
	t.Helper()
	dir := os.Getenv("BASELINER_PEERS")
	for _, name := range names {
		if path := filepath.Join(dir, name); dir != "" && isFile(path) {
			return path
		}
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	message := fmt.Sprintf("needs %s (%s), on the PATH or in BASELINER_PEERS", names[0], install)
	if dir != "" {
		t.Fatal(message)
	}
	t.Skip(message)
	return ""
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// freeAddress is one on which nobody listens at the moment, for programs that want to be told.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "127.0.0.1:" + strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}
