package baseline

import "math"

const (
	binMillis  = 10 * 60_000
	binCount   = 12 // two hours
	binsOfHour = 6
	hourWindow = 2

	windowCount = 4
	// thinBelow is how many denominators there must be to judge a ratio: in a window, and usually or really in an hour.
	thinBelow = 30.0
	// What happened before an incident ended is dropped when the ending is as likely as e to this power.
	overNats = 4.0
	// overBelow is the |score| from which on that is asked: an anomaly that fires goes on while it is so far from normal.
	overBelow = 0.7
	huge      = 1e30 // no measurement is larger
)

var (
	// windowBins are the lengths of the windows, the bin that is still filling included.
	windowBins = [windowCount]int{1, 3, 6, 12}
	// windowZ are their significances. A window of w hours passes z on either side about 2·z·φ(z)/w times an hour (the
	// clumps of a moving sum, Slepian's process): together less than one false alarm in ten weeks. Most of that is the longest
	// one's, which sees the smallest incidents.
	windowZ     = [windowCount]float64{5.2, 4.9, 4.7, 4.1}
	windowNames = [windowCount]string{"10m", "30m", "1h", "2h"}
)

// WindowName names gate k of a verdict that is Counted; it is empty when there is no such gate.
func WindowName(k int) string {
	if k < 0 || k >= windowCount {
		return ""
	}
	return windowNames[k]
}

// Tally is the fast state of a ratio: what was counted in the last two hours, and what was expected when it was. The
// fields are exported for the snapshot alone.
type Tally struct {
	Bins [binCount]Bin // by number modulo their count
	At   int64         // number of the newest bin, ten minutes each, since 1970
	Num  float64       // sum of the numerators of the hour that is open
}

// Bin is ten minutes of counts.
type Bin struct {
	Num, Den float64
	Want     float64 // expected numerator
	Var      float64 // its variance, were every event for itself
}

func (b *Bin) add(o *Bin) {
	b.Num += o.Num
	b.Den += o.Den
	b.Want += o.Want
	b.Var += o.Var
}

func (b *Bin) less(o *Bin) Bin {
	return Bin{b.Num - o.Num, b.Den - o.Den, b.Want - o.Want, b.Var - o.Var}
}

func (c *Tally) bin(number int64) *Bin { return &c.Bins[(number%binCount+binCount)%binCount] }

// advance lets time pass up to the bin of t.
func (c *Tally) advance(t int64) {
	at := floorDiv(t, binMillis)
	if at-c.At >= binCount || at < c.At {
		c.Bins, c.At = [binCount]Bin{}, at
		return
	}
	for c.At < at {
		c.At++
		*c.bin(c.At) = Bin{}
	}
}

// windows sums the bins of each window that ends with the newest one.
func (c *Tally) windows() (sums [windowCount]Bin) {
	var sum Bin
	k := 0
	i := int((c.At%binCount + binCount) % binCount)
	for n := 1; n <= binCount; n++ {
		sum.add(&c.Bins[i])
		if n == windowBins[k] {
			sums[k] = sum
			k++
		}
		if i--; i < 0 {
			i = binCount - 1
		}
	}
	return sums
}

// forget drops what is older than the newest bins.
func (c *Tally) forget(bins int) {
	for n := bins; n < binCount; n++ {
		*c.bin(c.At - int64(n)) = Bin{}
	}
}

// ended tells whether a deviation before b is over: whether what b counted is far likelier of the usual ratio than of the one before.
func (b *Bin) ended(before *Bin) bool {
	factor := before.Num / before.Want
	usual, still := b.Num-b.Want, b.Num-factor*b.Want
	return (still*still-usual*usual)/(2*b.Var*max(1, math.Abs(factor))) > overNats
}
