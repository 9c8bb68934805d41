package baseline

import (
	"testing"
	"unsafe"
)

// A warm series must fit in 3 KiB, so that a hundred thousand of them fit in a gateway.
func TestAModelIsSmall(t *testing.T) {
	model := unsafe.Sizeof(Model{})
	for of, size := range map[string]uintptr{"values": model + unsafe.Sizeof(Values{}), "a ratio": model + unsafe.Sizeof(Ratio{})} {
		t.Logf("of %s: %d bytes in memory", of, size)
		if size > 3<<10 {
			t.Errorf("a model of %s takes %d bytes, budget 3 KiB", of, size)
		}
	}
}
