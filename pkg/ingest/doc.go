// Package ingest is the only door to the live store: every receiver, whatever its wire format, appends through a Guard,
// which refuses samples whose time cannot be right and counts what came in and what was refused, by reason. One format
// each lives in the packages below.
package ingest
