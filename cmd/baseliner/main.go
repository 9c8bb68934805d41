// Command baseliner learns what is normal for this hour of this week for every signal, and tells Alertmanager-style
// receivers when a signal leaves its context.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/common/promslog"
)

// version is set by the build.
var version = "dev"

func main() {
	runtime.MemProfileRate = 0 // nobody can ask for the profile, and its tables are larger than those of a hundred models
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		if !errors.Is(err, errSaid) {
			fmt.Fprintln(os.Stderr, "baseliner:", err)
		}
		os.Exit(1)
	}
}

// errSaid ends the program with a failure that has been told already.
var errSaid = errors.New("failed")

// notYet lists the commands of later versions: known, so that the answer is not "unknown command".
var notYet = map[string]string{
	"diff":   "alerts gained and lost by a change of the configuration",
	"init":   "a starting configuration from a /metrics page or a Prometheus",
	"replay": "recompute the decision of an alert from its evidence",
}

// run is the program without the process: arguments in, exit status out.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	app := kingpin.New("baseliner", "Contextual baselines for Prometheus and OpenTelemetry metrics.")
	app.HelpFlag.Short('h')
	// --help and --version end the process here: told to go on, the parser would run the command.
	app.UsageWriter(stdout).ErrorWriter(stderr).Terminate(os.Exit)
	app.Version(buildLine())
	level := promslog.NewLevel()
	format := promslog.NewFormat()
	app.Flag("log.level", "Least severe messages to log: debug, info, warn or error.").Default("info").SetValue(level)
	app.Flag("log.format", "Format of log messages: logfmt or json.").Default("logfmt").SetValue(format)
	logger := func() *slog.Logger {
		return promslog.New(&promslog.Config{Level: level, Format: format, Writer: stderr})
	}

	actions := map[string]func() error{}
	add := func(name, help string, setup func(*kingpin.CmdClause) func() error) {
		c := app.Command(name, help)
		actions[c.FullCommand()] = setup(c)
	}
	add("run", "Watch, learn and tell.", func(c *kingpin.CmdClause) func() error {
		f := runFlags(c)
		return func() error { return runInstance(ctx, f, logger()) }
	})
	add("check", "Validate configuration files.", func(c *kingpin.CmdClause) func() error {
		files := c.Arg("file", "Configuration files.").Strings()
		url := c.Flag("url", "List the packs of the running instance: which signals are on, and why.").String()
		return func() error {
			if *url != "" {
				return listPacks(ctx, *url, stdout)
			}
			if len(*files) == 0 {
				return errors.New("name a file to validate, or a running instance with --url")
			}
			return check(*files, stdout, stderr)
		}
	})
	add("demo", "Watch a simulated shop: weeks of history, an incident, its alerts on the terminal.", func(c *kingpin.CmdClause) func() error {
		f := demoFlags(c)
		return func() error { return runDemo(ctx, f, stdout, quiet(logger())) }
	})
	add("backfill", "Fill history and warm the baselines from the past.", func(c *kingpin.CmdClause) func() error {
		f := backfillFlags(c)
		return func() error { return backfill(ctx, f, stdout, logger()) }
	})
	add("backtest", "Replay history through the same steps: what would have fired.", func(c *kingpin.CmdClause) func() error {
		f := backtestFlags(c)
		return func() error { return backtest(ctx, f, stdout) }
	})
	add("causes", "Rank what explains a drop, from a file.", func(c *kingpin.CmdClause) func() error {
		f := causesFlags(c)
		return func() error { return causes(f, stdout) }
	})
	add("dlq", "List, show, replay and drop dead letters: notifications that were given up.", func(c *kingpin.CmdClause) func() error {
		f := dlqFlags(c)
		return func() error { return dlq(ctx, f, stdout) }
	})
	add("silence", "Add, list and expire silences: what they match is neither told nor learnt.", func(c *kingpin.CmdClause) func() error {
		f := silenceFlags(c)
		return func() error { return silence(ctx, f, stdout) }
	})
	add("explain", "Why it fired, or why not: every gate with its margin.", func(c *kingpin.CmdClause) func() error {
		f := explainFlags(c)
		return func() error { return explain(ctx, f, stdout, logger()) }
	})
	add("unlearn", "Forget a window of the past; list what was forgotten, undo it.", func(c *kingpin.CmdClause) func() error {
		f := unlearnFlags(c)
		return func() error { return unlearn(ctx, f, stdout, logger()) }
	})
	add("report", "What goes with what, and what it takes: reports as markdown, HTML, JSON or CSV.", func(c *kingpin.CmdClause) func() error {
		f := reportFlags(c)
		return func() error { return makeReport(ctx, f, stdout, logger()) }
	})
	add("version", "Print the version.", func(*kingpin.CmdClause) func() error {
		return func() error {
			_, err := fmt.Fprintln(stdout, buildLine())
			return err
		}
	})
	if len(args) > 0 {
		if what, ok := notYet[args[0]]; ok {
			return fmt.Errorf("%s (%s) is not available yet", args[0], what)
		}
	}
	command, err := app.Parse(args)
	if err != nil {
		return fmt.Errorf("%w; see baseliner --help", err)
	}
	return actions[command]()
}

// joinNames prints a list for a sentence.
func joinNames(names []string) string {
	if len(names) > 8 {
		return strings.Join(names[:8], ", ") + fmt.Sprintf(" and %d more", len(names)-8)
	}
	return strings.Join(names, ", ")
}
