package incident

import (
	"math"
	"slices"
)

// Graph is who calls whom. The zero value and nil know nobody.
type Graph struct {
	callees map[string][]string // sorted
}

// NewGraph takes edges from caller to callee. Who calls itself is left out.
func NewGraph(edges [][2]string) *Graph {
	g := &Graph{callees: map[string][]string{}}
	for _, e := range edges {
		if list := g.callees[e[0]]; e[0] != e[1] && !slices.Contains(list, e[1]) {
			list = append(list, e[1])
			slices.Sort(list)
			g.callees[e[0]] = list
		}
	}
	return g
}

// Callees returns whom a service calls. The slice is the graph's.
func (g *Graph) Callees(service string) []string {
	if g == nil {
		return nil
	}
	return g.callees[service]
}

// Calls tells whether a service reaches another one, over any number of others.
func (g *Graph) Calls(from, to string) bool { return g.Within(from, to, math.MaxInt) }

// Within tells whether a service reaches another one with at most so many calls.
func (g *Graph) Within(from, to string, calls int) bool {
	if from == to {
		return false
	}
	seen := map[string]bool{from: true}
	for reached := []string{from}; len(reached) > 0 && calls > 0; calls-- {
		var next []string
		for _, s := range reached {
			for _, c := range g.Callees(s) {
				if c == to {
					return true
				}
				if !seen[c] {
					seen[c] = true
					next = append(next, c)
				}
			}
		}
		reached = next
	}
	return false
}

// Edges returns all edges from caller to callee, sorted.
func (g *Graph) Edges() (edges [][2]string) {
	if g == nil {
		return nil
	}
	for caller, list := range g.callees {
		for _, callee := range list {
			edges = append(edges, [2]string{caller, callee})
		}
	}
	slices.SortFunc(edges, func(a, b [2]string) int { return slices.Compare(a[:], b[:]) })
	return edges
}
