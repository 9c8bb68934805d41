// Package alertmanager tells Alertmanagers, over their API v2, what fires and what has ended: every peer everything, each
// in its own time. There is nothing to queue: what a peer has missed is in the state that it is sent next, and a peer that
// has lost its memory has it back within a minute.
package alertmanager
