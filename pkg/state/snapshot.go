package state

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
)

const (
	snapshotName  = "snapshot"
	previousName  = "snapshot.previous"
	snapshotMagic = "baseliner"
	// SnapshotVersion changes with the layout of the payload. An older one is ignored (the models are made anew from
	// history), a newer one is refused: it belongs to a newer binary.
	SnapshotVersion = 2
	headerBytes     = len(snapshotMagic) + 4 + 8 + 8
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// ErrNewer says that a newer version of the program wrote the snapshot.
var ErrNewer = errors.New("snapshot was written by a newer version")

// ErrOlder says that an older version of the program wrote the snapshot, in another layout.
var ErrOlder = errors.New("snapshot has the layout of an older version")

// SaveSnapshot writes the payload with the tick it belongs to (unix milliseconds) so that a crash at any instant leaves
// either the old or the new one, and the one before that as a spare.
func SaveSnapshot(dir string, tick int64, payload []byte) error {
	b := make([]byte, 0, headerBytes+len(payload)+4)
	b = append(b, snapshotMagic...)
	b = binary.LittleEndian.AppendUint32(b, SnapshotVersion)
	b = binary.LittleEndian.AppendUint64(b, uint64(tick))
	b = binary.LittleEndian.AppendUint64(b, uint64(len(payload)))
	b = append(b, payload...)
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))

	path := filepath.Join(dir, snapshotName)
	tmp := path + ".tmp"
	if err := writeSynced(tmp, b); err != nil {
		return fmt.Errorf("write snapshot: %w", err)
	}
	if err := os.Rename(path, filepath.Join(dir, previousName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("keep previous snapshot: %w", err)
	}
	if err := os.Rename(tmp, path); err != nil {
		return fmt.Errorf("publish snapshot: %w", err)
	}
	return syncDir(dir)
}

// LoadSnapshot returns the newest sound snapshot. A damaged one is put aside as *.corrupt, one of an older layout as *.old,
// and reported in damaged while the spare takes its place. ok is false when there is none.
func LoadSnapshot(dir string) (tick int64, payload []byte, ok bool, damaged []error, err error) {
	for _, name := range []string{snapshotName, previousName} {
		path := filepath.Join(dir, name)
		b, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return 0, nil, false, damaged, fmt.Errorf("read snapshot: %w", err)
		}
		tick, payload, err := decodeSnapshot(b)
		switch {
		case errors.Is(err, ErrNewer):
			return 0, nil, false, damaged, fmt.Errorf("read %s: %w: start that version, or move the file away to learn from history again", path, err)
		case err != nil:
			damaged = append(damaged, fmt.Errorf("read %s: %w", path, err))
			aside := path + ".corrupt"
			if errors.Is(err, ErrOlder) {
				aside = path + ".old"
			}
			if err := os.Rename(path, aside); err != nil {
				return 0, nil, false, damaged, fmt.Errorf("put snapshot aside: %w", err)
			}
		default:
			return tick, payload, true, damaged, nil
		}
	}
	return 0, nil, false, damaged, nil
}

func decodeSnapshot(b []byte) (tick int64, payload []byte, err error) {
	if len(b) < headerBytes+4 || string(b[:len(snapshotMagic)]) != snapshotMagic {
		return 0, nil, errors.New("not a snapshot, or cut short")
	}
	body, sum := b[:len(b)-4], binary.LittleEndian.Uint32(b[len(b)-4:])
	head := b[len(snapshotMagic):]
	version := binary.LittleEndian.Uint32(head)
	if crc32.Checksum(body, castagnoli) != sum {
		return 0, nil, errors.New("checksum does not match")
	}
	if version > SnapshotVersion {
		return 0, nil, fmt.Errorf("%w (%d, this one knows %d)", ErrNewer, version, SnapshotVersion)
	}
	if version < SnapshotVersion {
		return 0, nil, fmt.Errorf("%w (%d, this one writes %d)", ErrOlder, version, SnapshotVersion)
	}
	payload = body[headerBytes:]
	if n := binary.LittleEndian.Uint64(head[12:]); n != uint64(len(payload)) {
		return 0, nil, fmt.Errorf("holds %d bytes, promises %d", len(payload), n)
	}
	return int64(binary.LittleEndian.Uint64(head[4:])), payload, nil
}

func writeSynced(path string, b []byte) (err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o640)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := f.Write(b); err != nil {
		return err
	}
	return f.Sync()
}

func syncDir(dir string) (err error) {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	return d.Sync()
}
