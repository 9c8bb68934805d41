package signal

import (
	"embed"
	"io/fs"
	"path"
	"strings"
)

// Pack is a set of ready-made signals for what well-known exporters and libraries show. Each is on while its metrics are
// seen.
type Pack struct {
	Name    string
	Title   string
	Signals []PackSignal
}

// PackSignal is a signal of a pack.
type PackSignal struct {
	Definition
	Need Need
}

// PackFile is a pack as it is written: the YAML of a configuration's signals under a name and a title.
type PackFile struct {
	Name string // that of the file
	Text []byte
}

// Pack is the name of the pack in the file.
func (f PackFile) Pack() string { return strings.TrimSuffix(path.Base(f.Name), ".yml") }

//go:embed packs/*.yml
var packFiles embed.FS

// PackFiles returns all packs, in the order of their names.
func PackFiles() ([]PackFile, error) {
	const dir = "packs"
	entries, err := fs.ReadDir(packFiles, dir)
	if err != nil {
		return nil, err
	}
	files := make([]PackFile, len(entries))
	for i, e := range entries {
		files[i].Name = path.Join(dir, e.Name())
		if files[i].Text, err = packFiles.ReadFile(files[i].Name); err != nil {
			return nil, err
		}
	}
	return files, nil
}
