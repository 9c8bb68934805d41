package scrape

import (
	"cmp"
	"slices"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/scrape"
)

// Target is one target at the moment of asking.
type Target struct {
	Job        string // of the scrape configuration; relabelling may have changed the label
	URL        string
	Health     string            // up, down or unknown
	LastError  string            // of the last scrape, "" when it succeeded
	LastScrape time.Time         // when it began; zero before the first
	Duration   time.Duration     // of the last scrape
	Interval   time.Duration     // between scrapes
	Timeout    time.Duration     // of a scrape
	Labels     map[string]string // of its series
	Discovered map[string]string // before relabelling
}

// DroppedTarget is a target that relabelling removed.
type DroppedTarget struct {
	Job        string
	Discovered map[string]string
}

// Targets returns what is being scraped, ordered by job and URL.
func (m *Manager) Targets() []Target {
	lb := labels.NewBuilder(labels.EmptyLabels())
	var out []Target
	for job, targets := range m.scrape.TargetsActive() {
		for _, t := range targets {
			var lastError string
			if err := t.LastError(); err != nil {
				lastError = err.Error()
			}
			out = append(out, Target{
				Job:        job,
				URL:        t.URL().String(),
				Health:     string(t.Health()),
				LastError:  lastError,
				LastScrape: t.LastScrape(),
				Duration:   t.LastScrapeDuration(),
				Interval:   durationLabel(t, model.ScrapeIntervalLabel),
				Timeout:    durationLabel(t, model.ScrapeTimeoutLabel),
				Labels:     t.Labels(lb).Map(),
				Discovered: t.DiscoveredLabels(lb).Map(),
			})
		}
	}
	slices.SortFunc(out, func(a, b Target) int { return cmp.Or(cmp.Compare(a.Job, b.Job), cmp.Compare(a.URL, b.URL)) })
	return out
}

// Dropped returns the targets that relabelling removed, ordered by job, as many of them as keep_dropped_targets allows,
// and how many there are of each job.
func (m *Manager) Dropped() ([]DroppedTarget, map[string]int) {
	lb := labels.NewBuilder(labels.EmptyLabels())
	var out []DroppedTarget
	for job, targets := range m.scrape.TargetsDropped() {
		for _, t := range targets {
			out = append(out, DroppedTarget{Job: job, Discovered: t.DiscoveredLabels(lb).Map()})
		}
	}
	slices.SortStableFunc(out, func(a, b DroppedTarget) int { return cmp.Compare(a.Job, b.Job) })
	return out, m.scrape.TargetsDroppedCounts()
}

// Intervals returns how far apart the samples of a job come, by the value of the label job. Where relabelling gives the
// targets of a job different intervals, it is the longest.
func (m *Manager) Intervals() map[string]time.Duration {
	out := map[string]time.Duration{}
	m.mtx.Lock()
	if m.config != nil {
		// The configuration was valid when it was applied.
		configs, _ := m.config.GetScrapeConfigs()
		for _, sc := range configs {
			out[sc.JobName] = time.Duration(sc.ScrapeInterval)
		}
	}
	m.mtx.Unlock()
	for _, targets := range m.scrape.TargetsActive() {
		for _, t := range targets {
			job := t.GetValue(model.JobLabel)
			out[job] = max(out[job], durationLabel(t, model.ScrapeIntervalLabel))
		}
	}
	return out
}

// durationLabel reads a label that Prometheus itself has put there; 0 if relabelling made it no duration.
func durationLabel(t *scrape.Target, name string) time.Duration {
	d, err := model.ParseDuration(t.GetValue(name))
	if err != nil {
		return 0
	}
	return time.Duration(d)
}
