package config

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"

	commonconfig "github.com/prometheus/common/config"
	"go.yaml.in/yaml/v3"
)

// maxReferenced bounds the size of a file that the configuration refers to.
const maxReferenced = 1 << 20

var (
	fileKey    = regexp.MustCompile(`_file$|^calendar\.holidays\[\d+\]\.file$`)
	writtenKey = regexp.MustCompile(`(^|\.)scrape_failure_log_file$`) // a file we write, not one we read
)

// referenced collects the files that the configuration names and reports those that cannot be read.
func (l *loader) referenced(root *yaml.Node) {
	var walk func(n *yaml.Node, path string)
	walk = func(n *yaml.Node, path string) {
		eachChild(n, path, func(key, v *yaml.Node, at string) {
			walk(v, at)
			if key == nil || v.Kind != yaml.ScalarNode || isNull(v) || v.Value == "" || !fileKey.MatchString(at) || writtenKey.MatchString(at) {
				return
			}
			if isFreeForm(at) {
				return
			}
			file := commonconfig.JoinDir(l.dir, v.Value)
			l.files = append(l.files, file)
			if _, err := readFile(file, maxReferenced); err != nil {
				l.fail(at, "", "read %s: %s", file, err)
			}
		})
	}
	walk(root, "")
	slices.Sort(l.files)
	l.files = slices.Compact(l.files)
}

// isFreeForm reports whether the keys beside a path are names of the user's choice.
func isFreeForm(path string) bool {
	above := path[:max(strings.LastIndexByte(path, '.'), 0)]
	return payloadPath.MatchString(path) || strings.HasSuffix(above, "labels") || strings.HasSuffix(above, ".annotations") && above != "ingest.annotations" || strings.HasSuffix(above, ".params")
}

// fingerprint identifies a configuration's content: its text and the files it names, missing ones included.
func fingerprint(text []byte, files []string) string {
	h := sha256.New()
	fmt.Fprintf(h, "%d\n%s", len(text), text)
	for _, f := range files {
		b, err := readFile(f, maxReferenced)
		fmt.Fprintf(h, "%q %v %d\n%s", f, err, len(b), b)
	}
	return hex.EncodeToString(h.Sum(nil))
}
