//go:build soak

package pipeline

func init() {
	killedRuns = 500
	deliveryRounds = 20
	diskDays, diskSeries = 60, 200
}
