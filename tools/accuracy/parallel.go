package main

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// parallel calls do(0), ..., do(n-1), as many at a time as there are processors, and returns when all are done.
func parallel(n int, do func(i int)) {
	var next atomic.Int64
	var all sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), n) {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(i)
			}
		})
	}
	all.Wait()
}
