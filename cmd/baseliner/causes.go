package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/baseliner/baseliner/pkg/incident"
	"github.com/baseliner/baseliner/pkg/ingest/csv"
)

type causesOptions struct {
	input, outcome, at, until, graph, format string
}

func causesFlags(c *kingpin.CmdClause) *causesOptions {
	o := &causesOptions{}
	c.Flag("input", "Wide CSV file: a timestamp column and one column for each signal, named service|metric[|statistic] where services are known.").Required().StringVar(&o.input)
	c.Flag("outcome", "Column that suffered; several, separated by commas, are several views of it.").Required().StringVar(&o.outcome)
	c.Flag("at", "When it began: RFC 3339 or unix seconds. Rows before it and after --until are the normal ones.").Required().StringVar(&o.at)
	c.Flag("until", "When it ended; by default it lasts to the end of the file.").StringVar(&o.until)
	c.Flag("graph", `JSON file that says who calls whom: {"edges_caller_to_callee": [["shop","db"]]}.`).StringVar(&o.graph)
	c.Flag("format", "table or json.").Default("table").EnumVar(&o.format, "table", "json")
	return o
}

func causes(o *causesOptions, stdout io.Writer) error {
	file, err := csv.ReadWide(o.input)
	if err != nil {
		return err
	}
	c, err := o.readCase(file)
	if err != nil {
		return err
	}
	ranking, err := incident.Rank(c.Deseason())
	if err != nil {
		return fmt.Errorf("%s: %w", o.input, err)
	}
	a := newCausesAnswer(ranking)
	if o.format == "json" {
		return json.NewEncoder(stdout).Encode(a)
	}
	return a.print(stdout)
}

// readCase puts a file and the flags together.
func (o *causesOptions) readCase(file *csv.Wide) (*incident.Case, error) {
	at, err := parseInstant("at", o.at, time.Now())
	if err != nil {
		return nil, err
	}
	c := &incident.Case{Times: file.Times, From: at.UnixMilli(), Until: math.MaxInt64}
	if o.until != "" {
		until, err := parseInstant("until", o.until, time.Now())
		if err != nil {
			return nil, err
		}
		c.Until = until.UnixMilli()
	}
	outcomes := strings.Split(o.outcome, ",")
	for _, name := range outcomes {
		if !slices.Contains(file.Columns, name) {
			return nil, fmt.Errorf("--outcome=%s: %s has no column %q; it has %s", o.outcome, o.input, name, joinNames(file.Columns))
		}
	}
	for i, name := range file.Columns {
		s := incident.Named(name, file.Values[i])
		s.Outcome = slices.Contains(outcomes, name)
		c.Series = append(c.Series, s)
	}
	if o.graph != "" {
		if c.Graph, err = readGraph(o.graph, c.Series); err != nil {
			return nil, fmt.Errorf("--graph: %w", err)
		}
	}
	return c, nil
}

// readGraph reads who calls whom, and refuses a graph that is of other services.
func readGraph(path string, of []incident.Series) (*incident.Graph, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var file struct {
		Edges [][]string `json:"edges_caller_to_callee"`
	}
	if err := json.Unmarshal(text, &file); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if len(file.Edges) == 0 {
		return nil, fmt.Errorf(`read %s: it has no edges; want {"edges_caller_to_callee": [[CALLER, CALLEE], ...]}`, path)
	}
	var edges [][2]string
	known := false
	for i, e := range file.Edges {
		if len(e) != 2 {
			return nil, fmt.Errorf("read %s: edge %d has %d names, want a caller and a callee", path, i+1, len(e))
		}
		edges = append(edges, [2]string{e[0], e[1]})
		known = known || slices.ContainsFunc(of, func(s incident.Series) bool { return s.Service == e[0] || s.Service == e[1] })
	}
	if !known {
		return nil, fmt.Errorf("read %s: none of its services has a column; columns are named service|metric", path)
	}
	return incident.NewGraph(edges), nil
}

// causesAnswer is what the command prints.
type causesAnswer struct {
	Outcome      causeLine   `json:"outcome"`
	Explained    bool        `json:"explained"`
	Causes       []causeLine `json:"causes"`       // every column, best first
	First        []causeLine `json:"first_movers"` // strong ones that began before all others
	Simultaneous bool        `json:"simultaneous,omitempty"`
}

type causeLine struct {
	Column     string         `json:"column"`
	Service    string         `json:"service"`
	Score      float64        `json:"score,omitempty"`
	Label      incident.Label `json:"label,omitempty"` // absent: nothing unusual
	Shift      float64        `json:"shift"`           // mean, in standard deviations of the normal rows
	CoMovement float64        `json:"co_movement"`     // correlation with the outcome
	Onset      *float64       `json:"onset,omitempty"` // unix seconds
}

func newCauseLine(c *incident.Cause) causeLine {
	l := causeLine{Column: c.Series.Name, Service: c.Series.Service, Score: c.Score, Label: c.Label, Shift: c.Shift, CoMovement: c.CoMovement}
	if c.Onset != 0 {
		seconds := float64(c.Onset) / 1000
		l.Onset = &seconds
	}
	return l
}

func newCausesAnswer(r *incident.Ranking) *causesAnswer {
	a := &causesAnswer{
		Outcome: newCauseLine(&r.Outcome), Explained: r.Explained(), Simultaneous: len(r.First) > 1,
		Causes: []causeLine{}, First: []causeLine{},
	}
	for i := range r.Causes {
		a.Causes = append(a.Causes, newCauseLine(&r.Causes[i]))
	}
	for i := range r.First {
		a.First = append(a.First, newCauseLine(&r.First[i]))
	}
	return a
}

// mostLines is how many causes a table shows.
const mostLines = 20

func (a *causesAnswer) print(stdout io.Writer) error {
	fmt.Fprintf(stdout, "%s was %.1f standard deviations from its usual level\n", a.Outcome.Column, math.Abs(a.Outcome.Shift))
	switch names := columns(a.First); {
	case !a.Explained:
		_, err := fmt.Fprintln(stdout, "Nothing explains it: no other column left its usual range.")
		return err
	case a.Simultaneous:
		fmt.Fprintf(stdout, "First to move, within two samples of each other: %s\n", joinNames(names))
	case len(names) == 1:
		fmt.Fprintf(stdout, "First to move: %s\n", names[0])
	}
	w := tabwriter.NewWriter(stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "\nCAUSE\tSCORE\tSHIFT\tWITH OUTCOME\tSINCE (UTC)\tLABEL")
	labelled := 0
	for _, l := range a.Causes {
		if l.Label == "" {
			continue
		}
		if labelled++; labelled > mostLines {
			continue
		}
		since := ""
		if l.Onset != nil {
			since = time.UnixMilli(int64(1000 * *l.Onset)).UTC().Format("01-02 15:04:05")
		}
		fmt.Fprintf(w, "%s\t%.2f\t%+.1f\t%+.2f\t%s\t%s\n", l.Column, l.Score, l.Shift, l.CoMovement, since, causeLabel(l.Label))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if labelled > mostLines {
		fmt.Fprintf(stdout, "and %d more (--format=json has all)\n", labelled-mostLines)
	}
	_, err := fmt.Fprintln(stdout, "\nShift is the mean distance from the usual level, in standard deviations. What moves together need not cause each other.")
	return err
}

func columns(lines []causeLine) (names []string) {
	for _, l := range lines {
		names = append(names, l.Column)
	}
	return names
}

func causeLabel(l incident.Label) string {
	if l == incident.SameTime {
		return "moved at the same time"
	}
	return string(l)
}
