package series

import "fmt"

// Layer says which part of the system a signal describes.
type Layer uint8

// The layers, from the machine to the money.
const (
	LayerUnknown Layer = iota
	Infrastructure
	Application
	Business
)

var layerNames = [...]string{"unknown", "infrastructure", "application", "business"}

func (l Layer) String() string {
	if int(l) < len(layerNames) {
		return layerNames[l]
	}
	return fmt.Sprintf("Layer(%d)", uint8(l))
}

// ParseLayer accepts the three names of the configuration.
func ParseLayer(s string) (Layer, error) {
	for i, n := range layerNames {
		if i > 0 && n == s {
			return Layer(i), nil
		}
	}
	return LayerUnknown, fmt.Errorf("layer %q is not one of infrastructure, application, business", s)
}

// Direction says which side of the expectation is bad news.
type Direction uint8

// The directions; the zero value watches both sides.
const (
	Both Direction = iota
	Up
	Down
)

var directionNames = [...]string{"both", "up", "down"}

func (d Direction) String() string {
	if int(d) < len(directionNames) {
		return directionNames[d]
	}
	return fmt.Sprintf("Direction(%d)", uint8(d))
}

// ParseDirection accepts up, down and both.
func ParseDirection(s string) (Direction, error) {
	for i, n := range directionNames {
		if n == s {
			return Direction(i), nil
		}
	}
	return Both, fmt.Errorf("direction %q is not one of up, down, both", s)
}

// Missing says why a signal has no point at a tick. A missing point is neither judged nor learnt.
type Missing uint8

// The reasons. Their numbers are stored on disk: never renumber.
const (
	Observed        Missing = 0 // not missing
	NoData          Missing = 1 // the expression returned nothing for the series
	Stale           Missing = 2 // the newest input is older than two intervals, or the target is gone
	Gap             Missing = 3 // a hole inside the range of the expression
	NotANumber      Missing = 4 // NaN or an infinity
	ZeroDenominator Missing = 5 // a ratio of nothing
	Downtime        Missing = 6 // we were not running
	ClockJump       Missing = 7 // the wall clock was not to be trusted
	QueryFailed     Missing = 8 // the expression could not be evaluated
	Overrun         Missing = 9 // ticks took longer than their interval
)

var missingNames = [...]string{"observed", "no_data", "stale", "gap", "not_a_number", "zero_denominator", "downtime", "clock_jump", "query_failed", "overrun"}

func (m Missing) String() string {
	if int(m) < len(missingNames) {
		return missingNames[m]
	}
	return fmt.Sprintf("Missing(%d)", uint8(m))
}

// SourceGone reports whether the reason speaks about what we watch (its data ended) and not about ourselves or about a
// value that is undefined although its inputs live.
func (m Missing) SourceGone() bool { return m == NoData || m == Stale }

// Ours reports whether the reason is a fault of our own: it says nothing about what we watch.
func (m Missing) Ours() bool {
	return m == Downtime || m == ClockJump || m == QueryFailed || m == Overrun
}

// Point is what a signal's series showed at a tick.
type Point struct {
	T           int64   // unix milliseconds
	Value       float64 // meaningless unless Missing is Observed
	Denominator float64 // of a ratio, in events; 0 for anything else
	Missing     Missing
	Reporters   uint16 // different exporters behind the value; 0 is not known
}
