package pipeline

import (
	"encoding/binary"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/baseliner/baseliner/pkg/state"
)

// TestASnapshotOfAnOlderVersionIsFoldedAnew gives both snapshots the version before.
func TestASnapshotOfAnOlderVersionIsFoldedAnew(t *testing.T) {
	p := newPlant(t, loadSignal())
	p.run(plantKnown)
	slow, last := slowOf(p), p.in.LastTick()
	if err := p.in.Snapshot(); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{snapshotFile, previousFile} {
		b := p.snapshot(file)
		binary.LittleEndian.PutUint32(b[len("baseliner"):], state.SnapshotVersion-1)
		binary.LittleEndian.PutUint32(b[len(b)-4:], crc32.Checksum(b[:len(b)-4], crc32.MakeTable(crc32.Castagnoli)))
		if err := os.WriteFile(filepath.Join(p.dir, file), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p.restart(loadSignal())
	if !slices.Equal(slowOf(p), slow) || p.in.LastTick() != last {
		t.Error("the models are not what they were")
	}
	for _, file := range []string{snapshotFile, previousFile} {
		if _, err := os.Stat(filepath.Join(p.dir, file+".old")); err != nil {
			t.Error(err)
		}
	}
}
