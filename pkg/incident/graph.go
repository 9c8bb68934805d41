package incident

import "slices"

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
func (g *Graph) Calls(from, to string) bool {
	seen := map[string]bool{from: true}
	for next := []string{from}; len(next) > 0; {
		s := next[0]
		next = next[1:]
		for _, c := range g.Callees(s) {
			if c == to && c != from {
				return true
			}
			if !seen[c] {
				seen[c] = true
				next = append(next, c)
			}
		}
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
