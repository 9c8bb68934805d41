// Package detect decides when a deviation is an anomaly worth telling: the right direction, large enough in the
// signal's own unit, for long enough; and when it is over. It also notices series that went silent. Everything is a
// pure step from (state, point) to (state, events); time is elapsed time between points, never a clock.
package detect
