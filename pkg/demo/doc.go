// Package demo simulates a small web shop: its machine and containers, its database, its HTTP service with latency
// histograms, and what the business counts, with the swing of the week, noise, growth and a release; and, when asked, with
// an incident: the database slows down, the checkout waits for it, and visitors give up. It is deterministic: the same
// seed and the same steps give the same samples. It has no clock; time is an argument.
package demo
