// Package business receives what a business knows without an exporter: events, which add up to a counter, and values, one
// JSON object a line. A counter is kept together with the ids of its events in one transaction on disk, so that an event
// counts once, however often it is sent and whenever the program dies. Between events the counter is written as often as
// targets are scraped: no event is zero, not silence.
package business
