package main

import (
	"math"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
)

// cgroupLimits are the files in which a container says how much memory it allows: version 2, then 1.
var cgroupLimits = []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}

// memoryCeiling is how much memory the program may use: as configured, as GOMEMLIMIT says, or nine tenths of what the container
// allows; 0 is no ceiling.
func memoryCeiling(configured int64) int64 {
	if configured > 0 {
		return configured
	}
	if limit := debug.SetMemoryLimit(-1); limit < math.MaxInt64 {
		return limit
	}
	for _, file := range cgroupLimits {
		if n, ok := readLimit(file); ok {
			return n / 10 * 9
		}
	}
	return 0
}

// readLimit reads a number of bytes. What is more than any machine has is none.
func readLimit(file string) (int64, bool) {
	b, err := os.ReadFile(file)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
	return n, err == nil && n > 0 && n < 1<<50
}
