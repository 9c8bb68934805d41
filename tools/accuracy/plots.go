package main

// plots are the stories of change.
func plots() []plot {
	weekly := plot{step: fiveMin, level: 1000, weeks: 6, rows: 21 * dayRows}
	tell := func(p plot, name, want string, happens func(v float64, row int64, usual, sd float64) float64, holds func([]alarmSpan) bool) plot {
		p.name, p.want, p.happens, p.holds = name, want, happens, holds
		return p
	}
	short := weekly
	short.rows = dayRows
	negative := short
	negative.level = -1000
	around := short
	around.level, around.flat = 0, true
	minutely := plot{step: 60, level: 10_250, flat: true, weeks: 4, rows: 10}

	return []plot{
		tell(weekly, "nothing, three weeks", "at most one alarm",
			func(v float64, _ int64, _, _ float64) float64 { return v }, atMost(1)),
		tell(weekly, "growth by 5 % a week", "at most one alarm in three weeks",
			func(v float64, row int64, usual, _ float64) float64 { return v + usual*0.05*float64(row)/perWeek }, atMost(1)),
		tell(weekly, "level rises by 40 % and stays", "told within an hour, once; quiet from the third day on",
			func(v float64, _ int64, usual, _ float64) float64 { return v + 0.4*usual }, toldOnce(hourRows, 2*dayRows)),
		tell(weekly, "level falls by 30 % and stays", "told within an hour, once; quiet from the third day on",
			func(v float64, _ int64, usual, _ float64) float64 { return v - 0.3*usual }, toldOnce(hourRows, 2*dayRows)),
		tell(short, "falls by 30 % for six hours", "told within an hour",
			during(6*hourRows, func(v, usual, _ float64) float64 { return v - 0.3*usual }), toldWithin(hourRows)),
		tell(short, "falls to exactly 0 for an hour", "told within eight rows",
			during(hourRows, func(_, _, _ float64) float64 { return 0 }), toldWithin(8)),
		tell(negative, "negative metric, 30 % up for half an hour", "told within eight rows",
			during(6, func(v, usual, _ float64) float64 { return v - 0.3*usual }), toldWithin(8)),
		tell(negative, "negative metric, 30 % down for half an hour", "told within eight rows",
			during(6, func(v, usual, _ float64) float64 { return v + 0.3*usual }), toldWithin(8)),
		tell(around, "metric around 0, ten deviations up for half an hour", "told within eight rows",
			during(6, func(v, _, sd float64) float64 { return v + 10*sd }), toldWithin(8)),
		tell(around, "metric around 0, ten deviations down for half an hour", "told within eight rows",
			during(6, func(v, _, sd float64) float64 { return v - 10*sd }), toldWithin(8)),
		tell(minutely, "10,250 a minute expected, 4,200 seen, ten minutes (rows every minute)", "told within eight rows",
			func(float64, int64, float64, float64) float64 { return 4200 }, toldWithin(8)),
		tell(short, "falls by half, slowly over six hours", "told within those",
			func(v float64, row int64, usual, _ float64) float64 {
				return v - 0.5*usual*min(1, float64(row)/float64(6*hourRows))
			}, toldWithin(6*hourRows)),
		tell(short, "rises by half, slowly over a day", "told within it",
			func(v float64, row int64, usual, _ float64) float64 {
				return v + 0.5*usual*float64(row)/float64(dayRows)
			}, toldWithin(dayRows)),
		tell(short, "stuck at one value for six hours", "told within those",
			nil, toldWithin(6*hourRows)),
		tell(short, "noise five times as strong for six hours", "told within those",
			during(6*hourRows, func(v, usual, _ float64) float64 { return usual + 5*(v-usual) }), toldWithin(6*hourRows)),
	}
}

// during changes so many rows.
func during(rows int64, change func(v, usual, sd float64) float64) func(float64, int64, float64, float64) float64 {
	return func(v float64, row int64, usual, sd float64) float64 {
		if row < rows {
			return change(v, usual, sd)
		}
		return v
	}
}

func atMost(n int) func([]alarmSpan) bool {
	return func(told []alarmSpan) bool { return len(told) <= n }
}

func toldWithin(rows int64) func([]alarmSpan) bool {
	return func(told []alarmSpan) bool { return len(told) > 0 && told[0].first < rows }
}

// toldOnce wants the first alarm within rows, and no further one; it may go on until it is accepted.
func toldOnce(rows, accepted int64) func([]alarmSpan) bool {
	return func(told []alarmSpan) bool {
		return len(told) == 1 && told[0].first < rows && told[0].last < accepted
	}
}
