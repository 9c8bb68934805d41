package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"text/tabwriter"

	"github.com/baseliner/baseliner/pkg/web"
)

// packRoutes is /api/baseliner/v1/packs: every signal of every pack, on or off, and why.
func (i *instance) packRoutes() []web.Route {
	return []web.Route{{Pattern: "GET /api/baseliner/v1/packs", Handler: web.JSON(i.logger, func(r *http.Request) (any, error) {
		cfg := i.cfg.Load()
		seen, err := i.stores.sight(r.Context(), cfg)
		if err != nil {
			return nil, err
		}
		for _, d := range cfg.Signals {
			if d.Pack != "" {
				seen.known[d.Name] = true
			}
		}
		all := seen.look(cfg)
		if all == nil {
			all = []packed{}
		}
		return all, nil
	})}}
}

// listPacks prints what a running instance has switched on, and what it waits for.
func listPacks(ctx context.Context, url string, stdout io.Writer) error {
	var all []packed
	if err := (&where{url: url}).call(ctx, http.MethodGet, "packs", nil, nil, &all); err != nil {
		return err
	}
	on := map[string]int{}
	total := map[string]int{}
	var packs []string
	for _, p := range all {
		if total[p.Pack]++; total[p.Pack] == 1 {
			packs = append(packs, p.Pack)
		}
		if p.On {
			on[p.Pack]++
		}
	}
	w := tabwriter.NewWriter(stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "PACK\tSIGNAL\tLAYER\tSTATE\tWHY")
	for _, pack := range packs {
		if on[pack] == 0 { // what nobody has is one line
			fmt.Fprintf(w, "%s\t%d signals\t\toff\tnone of its metrics was seen\n", pack, total[pack])
			continue
		}
		for _, p := range all {
			if p.Pack == pack {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", pack, p.Signal, p.Layer, word(p.On, "on", "off"), p.why())
			}
		}
	}
	return w.Flush()
}

func (p *packed) why() string {
	switch {
	case p.Kept:
		return "it has history; missing now: " + strings.Join(p.Missing, ", ")
	case p.On:
		return "seen: " + strings.Join(p.Found, ", ")
	}
	return "not seen: " + strings.Join(p.Missing, ", ")
}
