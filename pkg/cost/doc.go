// Package cost says what an incident took: the sum of what was expected minus what came, with an interval that comes from how
// wrong the same baseline usually is over spans of that length. It knows rows, not signals: whoever asks brings expected and
// actual amounts in the unit that is lost (orders, euros).
package cost
