package tsdb

import (
	"errors"

	"github.com/prometheus/prometheus/storage"
)

// Merged reads several stores as one. Where two hold a sample of the same series and time, either may be shown.
type Merged []storage.Queryable

// Querier implements storage.Queryable.
func (m Merged) Querier(mint, maxt int64) (storage.Querier, error) {
	queriers := make([]storage.Querier, 0, len(m))
	for _, s := range m {
		q, err := s.Querier(mint, maxt)
		if err != nil {
			errs := []error{err}
			for _, open := range queriers {
				errs = append(errs, open.Close())
			}
			return nil, errors.Join(errs...)
		}
		queriers = append(queriers, q)
	}
	return storage.NewMergeQuerier(queriers, nil, storage.ChainedSeriesMerge), nil
}
