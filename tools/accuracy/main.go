// Command accuracy measures how well the detector detects, at its defaults and the same for every series: on labelled data
// by a published protocol, and on generated data whose truth is known.
//
//	go run ./tools/accuracy all       -data DIR   all tables, as markdown
//	go run ./tools/accuracy judge     -data DIR   labelled sets: event F1, false alarms, recall at a price, VUS-PR
//	go run ./tools/accuracy nab       -data DIR   the Numenta Anomaly Benchmark's own score
//	go run ./tools/accuracy taxi                  New York's taxis
//	go run ./tools/accuracy change                shifts, growth, zeros, ramps: what must fire and what must not
//	go run ./tools/accuracy causality             later rows and labels leave scores alone
//	go run ./tools/accuracy ratios                conversion rates at every traffic
//	go run ./tools/accuracy cold                  young series beside their siblings
//	go run ./tools/accuracy budget                a team's budget on a thousand quiet series
//	go run ./tools/accuracy causes    -data DIR   incidents whose root cause is known; another DIR, with index.json
//
//	go run ./tools/accuracy correlation -data DIR all of these:
//	go run ./tools/accuracy relations             false discoveries and power in the same families
//	go run ./tools/accuracy intervals             how often intervals of effects hold the truth
//	go run ./tools/accuracy unrelated -data DIR   taxis and tweets
//	go run ./tools/accuracy losses                what an incident took
//
// Protocol and figures: docs/accuracy.md.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// options are the flags of all commands.
type options struct {
	data, set       string
	seed            int
	series, kinds   bool
	json, short     bool
	all             bool // commands that have nothing to measure are left out
	taxi, alarmFile string
	page            string
}

// finding is what a command measured. It may come with an error, when it should not have come out so.
type finding interface {
	tables() []table
}

// command measures one thing.
type command struct {
	name  string
	needs bool   // a data set
	group string // whose name runs it with others
	run   func(o options) (finding, error)
}

var commands = []command{
	{"judge", true, "all", runJudge},
	{"nab", true, "all", runNAB},
	{"taxi", false, "all", runTaxi},
	{"change", false, "all", runChange},
	{"causality", false, "all", runCausality},
	{"ratios", false, "all", runRatios},
	{"cold", false, "all", runCold},
	{"budget", false, "all", runBudget},
	{"relations", false, "correlation", runRelations},
	{"intervals", false, "correlation", runIntervals},
	{"unrelated", true, "correlation", runUnrelated},
	{"losses", false, "correlation", runLosses},
	{"causes", true, "causes", runCauses},
}

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "accuracy:", err)
		os.Exit(1)
	}
}

func run(args []string, stdout io.Writer) error {
	names := []string{"all", "correlation"}
	for _, c := range commands {
		names = append(names, c.name)
	}
	if len(args) == 0 {
		return fmt.Errorf("want a command: one of %s", strings.Join(names, ", "))
	}
	o, err := parse(args[0], args[1:])
	if err != nil {
		return err
	}
	known := false
	out := map[string]finding{}
	var tables []table
	var errs []error // one that fails does not take the others' tables
	for _, c := range commands {
		if args[0] != c.name && args[0] != c.group {
			continue
		}
		known = true
		if c.needs && o.data == "" {
			return fmt.Errorf("%s: -data is required: a folder of data (docs/accuracy.md)", c.name)
		}
		f, err := c.run(o)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", c.name, err))
		}
		if f == nil {
			continue
		}
		out[c.name] = f
		for _, t := range f.tables() {
			tables = append(tables, t)
			if !o.json {
				fmt.Fprintln(stdout, t.markdown())
			}
		}
	}
	if !known {
		return fmt.Errorf("command %q is unknown: want one of %s", args[0], strings.Join(names, ", "))
	}
	if o.page != "" {
		errs = append(errs, updatePage(o.page, args[0], tables, time.Now()))
	}
	if o.json {
		e := json.NewEncoder(stdout)
		e.SetIndent("", "  ")
		errs = append(errs, e.Encode(out))
	}
	return errors.Join(errs...)
}

func parse(name string, args []string) (options, error) {
	o := options{all: name == "all"}
	f := flag.NewFlagSet(name, flag.ContinueOnError)
	f.StringVar(&o.data, "data", "", "folder with manifest.json, or with index.json for causes")
	f.StringVar(&o.set, "set", "", "judge only this set of the manifest")
	f.BoolVar(&o.series, "series", false, "judge: a line for each series")
	f.BoolVar(&o.kinds, "kinds", o.all, "judge: recall by kind of injection")
	f.BoolVar(&o.json, "json", false, "print one JSON object instead of markdown tables")
	f.BoolVar(&o.short, "short", false, "generated data: fewer and shorter series, to see that it works")
	f.IntVar(&o.seed, "seed", 0, "relations: draw other families")
	f.StringVar(&o.taxi, "taxi", "cmd/baseliner/testdata/nab/nyc_taxi.csv.gz", "taxi: the file of the Numenta Anomaly Benchmark")
	f.StringVar(&o.alarmFile, "alarms", "", "nab: write file,timestamp,score of every alarm at the optimised threshold to this file")
	f.StringVar(&o.page, "write", "", "put the tables into this page of documentation, at their marks")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if f.NArg() > 0 {
		return o, errors.New("unexpected argument " + f.Arg(0))
	}
	return o, nil
}
