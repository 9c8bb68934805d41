// Package signal says what to watch: definitions as they come from the configuration, the identity under which state
// is kept, and the freshness rule that decides whether a point was observed or only invented by PromQL.
package signal
