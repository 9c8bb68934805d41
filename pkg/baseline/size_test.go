package baseline

import (
	"testing"
	"unsafe"
)

// A warm series must fit in 3 KiB, so that a hundred thousand of them fit in a gateway.
func TestAModelIsSmall(t *testing.T) {
	size := unsafe.Sizeof(Model{})
	t.Logf("%d bytes in memory, %d encoded", size, stateBytes)
	if size > 3<<10 {
		t.Errorf("a model takes %d bytes, budget 3 KiB", size)
	}
}
