//go:build soak

package pipeline

func init() {
	killedRuns = 500
	diskDays, diskSeries = 60, 100
}
