package detect

import (
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"
)

// realisedDays is how far back Realised looks: eight weeks.
const realisedDays = 56

// Realised counts what became of a signal's bands and alarms, day by day, in constant memory. Each row is judged before
// anything is learnt of it, so that the share inside is one of forecasts. The zero value has counted nothing.
type Realised struct {
	Days [realisedDays]RealisedDay // by day modulo their number
}

// RealisedDay is one UTC day.
type RealisedDay struct {
	Day      int32  // since 1970
	Rows     uint32 // judged, of all series
	Inside   uint32 // of them inside the band
	Hours    uint32 // bit by bit: hours with a judged row
	Episodes uint32 // alarms that began
}

// Row counts a judged row (unix milliseconds).
func (r *Realised) Row(t int64, inside bool) {
	d := r.day(t)
	d.Rows++
	if inside {
		d.Inside++
	}
	d.Hours |= 1 << (floorHour(t) - 24*int64(d.Day))
}

// Complete takes over the days of another count of the same signal that know more.
func (r *Realised) Complete(o *Realised) {
	for i := range o.Days {
		if d := &o.Days[i]; d.Day > r.Days[i].Day || d.Day == r.Days[i].Day && d.Rows > r.Days[i].Rows {
			r.Days[i] = *d
		}
	}
}

// Episode counts an alarm.
func (r *Realised) Episode(t int64) { r.day(t).Episodes++ }

func (r *Realised) day(t int64) *RealisedDay {
	day := floorHour(t) / 24
	d := &r.Days[day%realisedDays]
	if int64(d.Day) != day {
		*d = RealisedDay{Day: int32(day)}
	}
	return d
}

// recent returns the days that count at t, oldest first.
func (r *Realised) recent(t int64) (days []RealisedDay) {
	today := floorHour(t) / 24
	for day := today - realisedDays + 1; day <= today; day++ {
		if d := r.Days[max(day, 0)%realisedDays]; int64(d.Day) == day && d.Rows > 0 {
			days = append(days, d)
		}
	}
	return days
}

// EpisodesPerWeek is the rate of alarms over the hours that were judged; NaN when none was.
func (r *Realised) EpisodesPerWeek(t int64) float64 {
	episodes, hours := 0, 0
	for _, d := range r.recent(t) {
		episodes += int(d.Episodes)
		hours += bits.OnesCount32(d.Hours)
	}
	return float64(episodes) / float64(hours) * hoursOfWeek // 0/0 is NaN
}

// Coverage is the share of judged rows that were inside the band, with its 95 % interval by a bootstrap of whole days,
// which keeps together what an incident or a bad day did; NaN for what so few days cannot tell.
func (r *Realised) Coverage(t int64) (share, low, high float64) {
	const resamples = 400
	days := r.recent(t)
	share = covered(len(days), func(i int) *RealisedDay { return &days[i] })
	if len(days) < 2 {
		return share, math.NaN(), math.NaN()
	}
	random := rand.New(rand.NewPCG(1, 1)) // the same days give the same interval
	var shares [resamples]float64
	for k := range shares {
		shares[k] = covered(len(days), func(int) *RealisedDay { return &days[random.IntN(len(days))] })
	}
	slices.Sort(shares[:])
	return share, shares[resamples/40], shares[resamples-1-resamples/40]
}

func covered(n int, day func(i int) *RealisedDay) float64 {
	inside, rows := 0.0, 0.0
	for i := range n {
		d := day(i)
		inside, rows = inside+float64(d.Inside), rows+float64(d.Rows)
	}
	return inside / rows
}
