package web

import "time"

// SeriesState says how far judging a series has come.
type SeriesState string

// The states, from the quiet to the loud.
const (
	StateOK       SeriesState = "ok"
	StateLearning SeriesState = "learning" // too little history: infinite bounds, no alert
	StateThin     SeriesState = "thin"     // too few denominators to judge a ratio: the same
	StateMissing  SeriesState = "missing"  // no point at the last tick; Reason says why
	StatePending  SeriesState = "pending"
	StateFiring   SeriesState = "firing"
)

// severity orders states for people: what needs them comes first.
func (s SeriesState) severity() int {
	switch s {
	case StateFiring:
		return 4
	case StatePending:
		return 3
	case StateMissing:
		return 2
	case StateLearning, StateThin:
		return 1
	default:
		return 0
	}
}

// SignalView is a signal and what its series show.
type SignalView struct {
	Name       string            `json:"name"`
	Layer      string            `json:"layer"` // infrastructure, application or business
	Unit       string            `json:"unit"`
	Expr       string            `json:"expr"` // PromQL; of a ratio, the quotient
	Direction  string            `json:"direction"`
	Alert      string            `json:"alert"` // alertname
	Severity   string            `json:"severity"`
	For        float64           `json:"for_seconds"`
	KeepFiring float64           `json:"keep_firing_for_seconds"`
	Interval   float64           `json:"interval_seconds"`
	RunbookURL string            `json:"runbook_url,omitempty"`
	Labels     map[string]string `json:"labels,omitempty"`  // added to alerts
	Error      string            `json:"error,omitempty"`   // of the last evaluation
	Waiting    string            `json:"waiting,omitempty"` // why it has no series yet, in words
	Budget     BudgetView        `json:"budget"`
	Series     []SeriesView      `json:"series"`
}

// BudgetView is what a signal may cost and what became of it in the last eight weeks; NaN is what cannot be told yet.
type BudgetView struct {
	PerWeek         Float `json:"anomalies_per_week"`          // that may be told
	EpisodesPerWeek Float `json:"realised_anomalies_per_week"` // that were
	Exponent        Float `json:"exponent"`                    // by which thresholds are moved; 0 is the default
	Coverage        Float `json:"coverage"`                    // share of rows inside the band, each judged before it was learnt
	CoverageLower   Float `json:"coverage_lower"`              // 95 % interval, by a bootstrap of days
	CoverageUpper   Float `json:"coverage_upper"`
}

// SeriesView is one series of a signal at the last tick.
type SeriesView struct {
	Labels    map[string]string `json:"labels"` // without signal and layer
	State     SeriesState       `json:"state"`
	Reason    string            `json:"reason,omitempty"` // why it is missing, or not judged
	Value     Float             `json:"value"`            // NaN when missing
	Expected  Float             `json:"expected"`         // NaN when unknown
	Lower     Float             `json:"lower"`
	Upper     Float             `json:"upper"`
	Score     Float             `json:"score"` // |score| ≥ 1 is anomalous
	LastTick  time.Time         `json:"last_tick"`
	Since     time.Time         `json:"since,omitzero"`      // of the state, when known
	Knowledge string            `json:"knowledge,omitempty"` // "normal for Tue 14:00 Europe/Berlin, 6 weeks seen"
}

// BaselineView is the profile of a series over the week.
type BaselineView struct {
	Signal string            `json:"signal"`
	Labels map[string]string `json:"labels"`
	Zone   string            `json:"zone"`  // IANA name of the hours
	Hours  [168]HourView     `json:"hours"` // weekday × 24 + hour, Sunday 00:00 first
}

// HourView is what is normal in one hour of the week.
type HourView struct {
	Expected  Float   `json:"expected"` // NaN when unknown
	Lower     Float   `json:"lower"`
	Upper     Float   `json:"upper"`
	WeeksSeen float64 `json:"weeks_seen"`
}

// AnomalyView is one deviation from its begin to its end.
type AnomalyView struct {
	Signal      string            `json:"signal"`
	Layer       string            `json:"layer"`
	Labels      map[string]string `json:"labels"`
	Alertname   string            `json:"alertname"`
	Severity    string            `json:"severity"`
	Type        string            `json:"type"` // anomaly, absent, coverage or shift
	Direction   string            `json:"direction,omitempty"`
	StartsAt    time.Time         `json:"starts_at"`
	EndsAt      time.Time         `json:"ends_at,omitzero"`
	State       string            `json:"state"` // pending, firing or resolved
	Unit        string            `json:"unit,omitempty"`
	Observed    Float             `json:"observed"`
	Expected    Float             `json:"expected"`
	Lower       Float             `json:"lower"`
	Upper       Float             `json:"upper"`
	Score       Float             `json:"score"`
	Summary     string            `json:"summary"`
	Annotations map[string]string `json:"annotations,omitempty"` // as sent
}

// StatusView is the instance at a glance.
type StatusView struct {
	Version        string    `json:"version"`
	Started        time.Time `json:"started"`
	LastTick       time.Time `json:"last_tick,omitzero"` // zero before the first
	TickLagSeconds Float     `json:"tick_lag_seconds"`   // behind the tick that is due
	Interval       float64   `json:"evaluation_interval_seconds"`
	Timezone       string    `json:"timezone"` // IANA name; times on pages are given in it
	Signals        int       `json:"signals"`
	Series         int       `json:"series"`
	Warnings       []string  `json:"warnings,omitempty"` // what is degraded, in words: shown on every page
}

// BuildInfo is the answer of status/buildinfo.
type BuildInfo struct {
	Version   string `json:"version"`
	Revision  string `json:"revision"`
	Branch    string `json:"branch"`
	BuildUser string `json:"buildUser"`
	BuildDate string `json:"buildDate"`
	GoVersion string `json:"goVersion"`
}

// RuntimeInfo is the part of status/runtimeinfo that the handler cannot know.
type RuntimeInfo struct {
	StartTime           time.Time
	ReloadConfigSuccess bool
	LastConfigTime      time.Time
	CorruptionCount     int64
	StorageRetention    string
}

// TargetsView is what is scraped, in the field names of Prometheus.
type TargetsView struct {
	Active        []TargetView        `json:"activeTargets"`
	Dropped       []DroppedTargetView `json:"droppedTargets"`
	DroppedCounts map[string]int      `json:"droppedTargetCounts"` // by scrape pool
}

// TargetView is one target.
type TargetView struct {
	DiscoveredLabels   map[string]string `json:"discoveredLabels"`
	Labels             map[string]string `json:"labels"`
	ScrapePool         string            `json:"scrapePool"`
	ScrapeURL          string            `json:"scrapeUrl"`
	GlobalURL          string            `json:"globalUrl"`
	LastError          string            `json:"lastError"`
	LastScrape         time.Time         `json:"lastScrape"`
	LastScrapeDuration float64           `json:"lastScrapeDuration"` // seconds
	Health             string            `json:"health"`             // up, down or unknown
	ScrapeInterval     string            `json:"scrapeInterval"`
	ScrapeTimeout      string            `json:"scrapeTimeout"`
}

// DroppedTargetView is a target that relabelling removed.
type DroppedTargetView struct {
	DiscoveredLabels map[string]string `json:"discoveredLabels"`
	ScrapePool       string            `json:"scrapePool"`
}

// MetadataView describes a metric.
type MetadataView struct {
	Type string `json:"type"`
	Help string `json:"help"`
	Unit string `json:"unit"`
}

// TSDBStatus is the answer of status/tsdb.
type TSDBStatus struct {
	HeadStats                   HeadStats  `json:"headStats"`
	SeriesCountByMetricName     []TSDBStat `json:"seriesCountByMetricName"`
	LabelValueCountByLabelName  []TSDBStat `json:"labelValueCountByLabelName"`
	MemoryInBytesByLabelName    []TSDBStat `json:"memoryInBytesByLabelName"`
	SeriesCountByLabelValuePair []TSDBStat `json:"seriesCountByLabelValuePair"`
}

// HeadStats is about the part of the store in memory. Times are unix milliseconds.
type HeadStats struct {
	NumSeries     uint64 `json:"numSeries"`
	NumLabelPairs int    `json:"numLabelPairs"`
	ChunkCount    int64  `json:"chunkCount"`
	MinTime       int64  `json:"minTime"`
	MaxTime       int64  `json:"maxTime"`
}

// TSDBStat is one line of a ranking.
type TSDBStat struct {
	Name  string `json:"name"`
	Value uint64 `json:"value"`
}
