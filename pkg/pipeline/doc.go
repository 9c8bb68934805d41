// Package pipeline drives a tick: samples become points, points verdicts, verdicts events, events transitions. Core is
// the deterministic part, the same for live running, recovery, backfill and backtest; around it, Instance evaluates
// signals, records points, commits transitions and keeps history.
//
// The order of a tick's commits is what makes a restart exact. First the points go to the live store, together with a
// marker of the tick. Then one ledger transaction takes the transitions, the hourly summaries and the time of the tick.
// Recovery loads the snapshot, steps through the points that were recorded after it, never asking PromQL again, and
// offers the transitions it finds to the ledger, which ignores those it knows.
package pipeline
