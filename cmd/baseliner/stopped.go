package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/baseliner/baseliner/pkg/alert/outbox"
	"github.com/baseliner/baseliner/pkg/state"
)

// holdsInstance refuses a directory without an instance: a misspelt path must not become one.
func holdsInstance(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, "ledger.db")); err != nil {
		return fmt.Errorf("--storage.path holds no instance: %w", err)
	}
	return nil
}

// openStopped opens the ledger of a stopped instance, ready for what belongs to its alerts. Whose instance runs is told to
// ask that.
func openStopped(dir string) (*state.Ledger, error) {
	if err := holdsInstance(dir); err != nil {
		return nil, err
	}
	ledger, err := state.OpenLedger(dir, state.Options{})
	if errors.Is(err, state.ErrLocked) {
		return nil, fmt.Errorf("%w: use --url to ask the instance that runs on %s", err, dir)
	}
	if err != nil {
		return nil, err
	}
	if err := ledger.Update(outbox.Prepare); err != nil {
		return nil, errors.Join(err, ledger.Close())
	}
	return ledger, nil
}
