// Package stats holds constant-space estimators over floats. It knows nothing of series, time zones or alerts.
package stats
