package config

import (
	"time"

	"go.yaml.in/yaml/v3"
)

// The structs of this file are the keys of the configuration: what is not a field here is an unknown key.

type fileSchema struct {
	Global        globalSchema      `yaml:"global"`
	ScrapeConfigs *yaml.Node        `yaml:"scrape_configs"`
	Ingest        ingestSchema      `yaml:"ingest"`
	Limits        limitsSchema      `yaml:"limits"`
	Engine        engineSchema      `yaml:"engine"`
	State         stateSchema       `yaml:"state"`
	Packs         []string          `yaml:"packs"`
	Signals       []signalSchema    `yaml:"signals"`
	Calendar      calendarSchema    `yaml:"calendar"`
	Detection     detectionSchema   `yaml:"detection"`
	Correlation   correlationSchema `yaml:"correlation"`
	Alerting      alertingSchema    `yaml:"alerting"`
	Cluster       clusterSchema     `yaml:"cluster"`
	Tracing       *yaml.Node        `yaml:"tracing"`
}

type globalSchema struct {
	EvaluationInterval time.Duration     `yaml:"evaluation_interval"`
	EvaluationDelay    time.Duration     `yaml:"evaluation_delay"`
	Lookback           time.Duration     `yaml:"lookback"`
	Timezone           string            `yaml:"timezone"`
	ExternalLabels     map[string]string `yaml:"external_labels"`
	Scrape             *yaml.Node        `yaml:",rest"`
}

type endpointSchema struct {
	Endpoint string `yaml:"endpoint"`
}

type ingestSchema struct {
	OTLP struct {
		GRPC endpointSchema `yaml:"grpc"`
		HTTP endpointSchema `yaml:"http"`
	} `yaml:"otlp"`
	RemoteWrite struct {
		Enabled bool `yaml:"enabled"`
	} `yaml:"remote_write"`
	Business struct {
		Enabled   bool   `yaml:"enabled"`
		TokenFile string `yaml:"token_file"`
	} `yaml:"business"`
	Annotations struct {
		Enabled   bool   `yaml:"enabled"`
		TokenFile string `yaml:"token_file"`
	} `yaml:"annotations"`
}

type limitsSchema struct {
	Series           int           `yaml:"series"`
	Labels           int           `yaml:"labels"`
	LabelValueBytes  size          `yaml:"label_value_bytes"`
	SamplesPerScrape int           `yaml:"samples_per_scrape"`
	BodyBytes        size          `yaml:"body_bytes"`
	InFlightBytes    size          `yaml:"in_flight_bytes"`
	MemoryBytes      size          `yaml:"memory_bytes"`
	Future           time.Duration `yaml:"future"`
}

type storeSchema struct {
	Retention time.Duration `yaml:"retention"`
	MaxBytes  size          `yaml:"max_bytes"`
}

type engineSchema struct {
	Embedded struct {
		Live    storeSchema `yaml:"live"`
		History storeSchema `yaml:"history"`
	} `yaml:"embedded"`
	Remote *remoteSchema `yaml:"remote"`
}

type remoteSchema struct {
	URL            Secret     `yaml:"url"`
	RemoteWriteURL Secret     `yaml:"remote_write_url"`
	HTTP           *yaml.Node `yaml:",rest"`
}

type stateSchema struct {
	Bucket *yaml.Node `yaml:"bucket"`
}

type ratioSchema struct {
	Numerator   string `yaml:"numerator"`
	Denominator string `yaml:"denominator"`
}

type moneySchema struct {
	Amount   float64 `yaml:"amount"`
	Currency string  `yaml:"currency"`
}

type signalSchema struct {
	Name      string       `yaml:"name"`
	Layer     string       `yaml:"layer"`
	Expr      string       `yaml:"expr"`
	Ratio     *ratioSchema `yaml:"ratio"`
	Unit      string       `yaml:"unit"`
	Direction string       `yaml:"direction"`
	MinChange struct {
		Absolute float64  `yaml:"absolute"`
		Relative fraction `yaml:"relative"`
	} `yaml:"min_change"`
	For           time.Duration `yaml:"for"`
	KeepFiringFor time.Duration `yaml:"keep_firing_for"`
	Interval      time.Duration `yaml:"interval"`
	Lookback      time.Duration `yaml:"lookback"`
	Window        time.Duration `yaml:"window"`
	Timezone      string        `yaml:"timezone"`
	Absent        struct {
		For time.Duration `yaml:"for"`
	} `yaml:"absent"`
	Kind         string            `yaml:"kind"`
	BorrowFrom   string            `yaml:"borrow_from"`
	Budget       rate              `yaml:"budget"`
	Severity     string            `yaml:"severity"`
	Team         string            `yaml:"team"`
	Alert        string            `yaml:"alert"`
	Labels       map[string]string `yaml:"labels"`
	Annotations  map[string]string `yaml:"annotations"`
	RunbookURL   string            `yaml:"runbook_url"`
	ValuePerUnit *moneySchema      `yaml:"value_per_unit"`
}

type holidaySchema struct {
	Country string `yaml:"country"`
	Region  string `yaml:"region"`
	File    string `yaml:"file"`
	Date    date   `yaml:"date"`
	Name    string `yaml:"name"`
	Like    string `yaml:"like"`
}

// cycleSchema is what an element of calendar.cycles may be instead of a name.
type cycleSchema struct {
	Name     string   `yaml:"name"`
	MonthDay int      `yaml:"monthday"`
	Weekday  string   `yaml:"weekday"`
	Nth      int      `yaml:"nth"`
	Months   []string `yaml:"months"`
	Offset   int      `yaml:"offset"`
}

type calendarSchema struct {
	Holidays    []holidaySchema `yaml:"holidays"`
	Cycles      []*yaml.Node    `yaml:"cycles"`
	Maintenance *yaml.Node      `yaml:"maintenance"`
}

type detectionSchema struct {
	Budget struct {
		Signal rate `yaml:"signal"`
		Total  rate `yaml:"total"`
	} `yaml:"budget"`
}

type correlationSchema struct {
	MaxLag             time.Duration `yaml:"max_lag"`
	FalseDiscoveryRate fraction      `yaml:"false_discovery_rate"`

	ServiceLabels []string            `yaml:"service_labels"`
	Calls         map[string][]string `yaml:"calls"`
	CallMetrics   []string            `yaml:"call_metrics"`
}

type alertingSchema struct {
	Route               *yaml.Node       `yaml:"route"`
	Receivers           []receiverSchema `yaml:"receivers"`
	InhibitRules        *yaml.Node       `yaml:"inhibit_rules"`
	TimeIntervals       *yaml.Node       `yaml:"time_intervals"`
	Alertmanagers       *yaml.Node       `yaml:"alertmanagers"`
	AlertRelabelConfigs *yaml.Node       `yaml:"alert_relabel_configs"`
	Outbox              struct {
		MaxBytes size `yaml:"max_bytes"`
	} `yaml:"outbox"`
	DeadLetters struct {
		MaxAge   time.Duration `yaml:"max_age"`
		MaxBytes size          `yaml:"max_bytes"`
	} `yaml:"dead_letters"`
	Flapping struct {
		Begins   int           `yaml:"begins"`
		Within   time.Duration `yaml:"within"`
		QuietFor time.Duration `yaml:"quiet_for"`
	} `yaml:"flapping"`
	Digest *digestSchema `yaml:"digest"`
}

type digestSchema struct {
	Receiver string `yaml:"receiver"`
	Weekday  string `yaml:"weekday"`
	At       string `yaml:"at"`
	Timezone string `yaml:"timezone"`
}

type receiverSchema struct {
	Name   string `yaml:"name"`
	Budget struct {
		PerHour int `yaml:"per_hour"`
		PerDay  int `yaml:"per_day"`
	} `yaml:"notification_budget"`
	Webhooks []webhookSchema `yaml:"webhook_configs"`
}

type webhookSchema struct {
	URL          Secret        `yaml:"url"`
	URLFile      string        `yaml:"url_file"`
	SecretFile   string        `yaml:"secret_file"`
	RoutingKey   string        `yaml:"routing_key_file"`
	SendResolved bool          `yaml:"send_resolved"`
	MaxAlerts    int           `yaml:"max_alerts"`
	Timeout      time.Duration `yaml:"timeout"`
	Payload      *yaml.Node    `yaml:"payload"`
	HTTP         *yaml.Node    `yaml:",rest"`
}

type clusterSchema struct {
	Members     int      `yaml:"members"`
	Member      int      `yaml:"member"`
	Replication int      `yaml:"replication"`
	ShardBy     []string `yaml:"shard_by"`
}
