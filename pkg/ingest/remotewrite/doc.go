// Package remotewrite receives what Prometheus and everything that speaks its protocol sends: remote-write 1.0 and 2.0,
// floats and native histograms, with the times at which counters began. A request is one transaction. What is wrong with
// a sample costs that sample alone: the others are kept and the answer is 400, so that nobody sends them again; when
// nothing was kept the answer asks for a repetition.
//
// Requests come from strangers. A body is decompressed only if it says that it is small enough, and decoded field by
// field: no length or count in it makes room for more than what is there.
package remotewrite
