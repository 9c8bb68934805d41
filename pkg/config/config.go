package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"time"

	"github.com/prometheus/common/model"
	promconfig "github.com/prometheus/prometheus/config"
	"go.yaml.in/yaml/v3"

	"github.com/baseliner/baseliner/pkg/calendar"
	"github.com/baseliner/baseliner/pkg/signal"
)

// Config is a configuration that passed every check, with its defaults applied and its relative paths resolved against
// the directory of the file. It is read-only: several parts of the program hold it at once.
type Config struct {
	File     string // as it was named to Load
	Global   Global
	Scrape   *promconfig.Config // for the managers of scraping and discovery; holds nothing but global and scrape_configs
	Ingest   Ingest
	Limits   Limits
	Engine   Engine
	Remote   *Remote // nil: signals are evaluated on the live store
	Signals  []signal.Definition
	Packs    []signal.Pack // whose signals are on while their metrics are seen
	Alerting Alerting
	Tracing  *promconfig.TracingConfig // nil when tracing is off
	Budget   signal.Budget             // of signals without their own
	Calendar *calendar.Rules           // of every signal; nil when no day is special

	Annotations Annotations
	Correlation Correlation

	files []string
	hash  string
	shown string
}

// Global holds what applies everywhere.
type Global struct {
	EvaluationInterval time.Duration // of signals without their own; whole seconds
	EvaluationDelay    time.Duration // how long a tick waits for its samples
	Lookback           time.Duration // how far PromQL looks back for an instant's sample
	Timezone           string        // IANA name, in which hours of the week are counted
	ExternalLabels     map[string]string
}

// Limits bounds what is taken in.
type Limits struct {
	Future           time.Duration // samples further ahead of the clock are refused
	Series           int           // in the live store; 0 is no limit
	Labels           int           // of a series; 0 is no limit
	LabelValueBytes  int           // 0 is no limit
	SamplesPerScrape int           // of a scrape or a request; 0 is no limit
	BodyBytes        int64         // of a scrape or a request, decoded
	InFlightBytes    int64         // of all requests that are being taken in
	MemoryBytes      int64         // that the program may use; 0 is what the container allows
}

// Engine says where samples and history live.
type Engine struct {
	Live    Store // raw samples and full-precision results
	History Store // values per minute, bands and summaries per hour
}

// Annotations says who may tell of deploys, events and incidents.
type Annotations struct {
	Enabled   bool
	TokenFile string // holds the token that a request must bear; empty when none is asked for
}

// Store is the budget of one store.
type Store struct {
	Retention time.Duration
	MaxBytes  int64
}

// Options are what Load needs from outside the file. The zero value is useful.
type Options struct {
	Logger    *slog.Logger                // of Prometheus' loader; nil discards
	LookupEnv func(string) (string, bool) // nil is os.LookupEnv
}

// Load reads, validates and completes the configuration of a file. Whatever is wrong with it comes as an *Errors that
// lists every problem.
func Load(path string, opts Options) (*Config, error) {
	cfg, _, err := load(path, opts)
	return cfg, err
}

// LoadBytes is Load for text that is already read. The name is printed in errors; its directory is where relative paths
// begin.
func LoadBytes(name string, b []byte, opts Options) (*Config, error) {
	cfg, _, err := loadBytes(name, b, opts)
	return cfg, err
}

// source is what was loaded, whether or not it is valid.
type source struct {
	files []string // that the configuration refers to, as far as it could be read
	hash  string   // of its text and those files
}

func load(path string, opts Options) (*Config, source, error) {
	b, err := readFile(path, maxBytes)
	if err != nil {
		return nil, source{hash: err.Error()}, &Errors{File: path, Problems: []Problem{{Cause: err.Error()}}}
	}
	return loadBytes(path, b, opts)
}

func loadBytes(name string, b []byte, opts Options) (*Config, source, error) {
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.LookupEnv == nil {
		opts.LookupEnv = os.LookupEnv
	}
	errs := &Errors{File: name}
	if len(b) > maxBytes {
		errs.add(0, "", "", "is larger than %d MiB", maxBytes>>20)
		return nil, source{hash: fingerprint(b, nil)}, errs
	}
	root := parse(b, errs)
	if root == nil {
		if len(errs.Problems) > 0 {
			return nil, source{hash: fingerprint(b, nil)}, errs
		}
		root = mapping()
	}
	l := &loader{
		decoder: decoder{errs: errs},
		opts:    opts,
		dir:     filepath.Dir(name),
		cfg:     &Config{File: name, shown: show(root)},
	}
	l.places = places(root)
	l.unset = map[string]bool{}
	expandEnv(root, "", opts.LookupEnv, func(path, name string) {
		l.unset[path] = true
		l.fail(path, "set it, or write $${"+name+"} for the text itself", "environment variable %s is not set", name)
	})
	unset := slices.Clone(errs.Problems)

	s := defaults()
	l.decode(root, "", root.Line, reflect.ValueOf(&s).Elem())
	l.referenced(root)
	l.validate(&s)
	src := source{files: l.files, hash: fingerprint(b, l.files)}
	if len(errs.Problems) > 0 {
		// What else is wrong with a value that lacks a variable is only a consequence.
		errs.Problems = slices.DeleteFunc(errs.Problems, func(p Problem) bool {
			return l.unset[p.Key] && !slices.Contains(unset, p)
		})
		redactProblems(errs, root)
		errs.sort()
		return nil, src, errs
	}
	l.cfg.files, l.cfg.hash = src.files, src.hash
	return l.cfg, src, nil
}

// defaults are the values of keys that are not set. The stores together fit a volume of 256 MiB.
func defaults() fileSchema {
	var s fileSchema
	s.Global.EvaluationInterval = time.Minute
	s.Global.EvaluationDelay = 30 * time.Second
	s.Global.Lookback = 5 * time.Minute
	s.Global.Timezone = "UTC"
	s.Limits = limitsSchema{
		Future: 10 * time.Minute, Series: 100_000, Labels: 40, LabelValueBytes: 4 << 10, SamplesPerScrape: 50_000, BodyBytes: 16 << 20, InFlightBytes: 64 << 20,
	}
	s.Engine.Embedded.Live = storeSchema{Retention: 48 * time.Hour, MaxBytes: 96 << 20}
	s.Engine.Embedded.History = storeSchema{Retention: 60 * 24 * time.Hour, MaxBytes: 96 << 20}
	s.Alerting.Outbox.MaxBytes = outboxMaxBytes
	s.Alerting.DeadLetters.MaxAge, s.Alerting.DeadLetters.MaxBytes = deadLettersMaxAge, deadLettersMaxBytes
	s.Alerting.Flapping.Begins, s.Alerting.Flapping.Within, s.Alerting.Flapping.QuietFor = 4, time.Hour, 30*time.Minute
	s.Cluster.Members, s.Cluster.Replication = 1, 1
	s.Detection.Budget.Signal, s.Detection.Budget.Total = budgetPerSignal, budgetInTotal
	s.Correlation.MaxLag, s.Correlation.FalseDiscoveryRate = defaultMaxLag, defaultFDR
	return s
}

// Hash identifies the content of the file and of every file it refers to. It changes exactly when one of them does.
func (c *Config) Hash() string { return c.hash }

// Files lists the files the configuration refers to, such as those of secrets and certificates.
func (c *Config) Files() []string { return c.files }

// String returns the file as YAML: environment variables unexpanded, secrets and comments left out.
func (c *Config) String() string { return c.shown }

// ScrapeIntervals returns how often the targets of each job are scraped, by job name.
func (c *Config) ScrapeIntervals() map[string]time.Duration {
	m := make(map[string]time.Duration, len(c.Scrape.ScrapeConfigs))
	for _, s := range c.Scrape.ScrapeConfigs {
		m[s.JobName] = time.Duration(s.ScrapeInterval)
	}
	return m
}

func show(root *yaml.Node) string {
	if len(root.Content) == 0 {
		return ""
	}
	n := clone(root)
	redact(n, "")
	b, err := marshal(n)
	if err != nil {
		return fmt.Sprintf("# %s\n", err)
	}
	return string(b)
}

// readFile reads at most limit bytes; more is an error, as is a directory. Errors leave it to the caller to name the file.
func readFile(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, bare(err)
	}
	defer f.Close()
	if st, err := f.Stat(); err != nil {
		return nil, bare(err)
	} else if st.IsDir() {
		return nil, errors.New("is a directory")
	}
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, bare(err)
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("is larger than %d MiB", limit>>20)
	}
	return b, nil
}

func bare(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	return err
}

// written prints a duration as it is written in the file: 48h, not 48h0m0s.
func written(d time.Duration) string {
	if d%time.Hour == 0 && d != 0 && d < 7*24*time.Hour {
		return fmt.Sprintf("%dh", d/time.Hour)
	}
	return model.Duration(d).String()
}
