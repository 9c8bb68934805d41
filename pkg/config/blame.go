package config

import (
	"slices"

	"go.yaml.in/yaml/v3"
)

// blame returns the smallest part of n that alone provokes the same error.
func (c *checker) blame(n *yaml.Node, want string, depth int) *yaml.Node {
	all := n.Content
	defer func() { n.Content = all }()
	step := 1
	if n.Kind == yaml.MappingNode {
		step = 2
	}
	var pinned []*yaml.Node
	if depth == 0 && step == 2 {
		for i := 0; i+1 < len(all); i += 2 {
			if slices.Contains(c.pinned, all[i].Value) {
				pinned = append(pinned, all[i], all[i+1])
			}
		}
	}
	// What is missing is nobody's fault below.
	n.Content = pinned
	if err := c.try(); err != nil && err.Error() == want {
		return n
	}
	for i := 0; i+step <= len(all) && c.attempts < c.allowed && depth < 6; i += step {
		part := all[i : i+step]
		if slices.Contains(pinned, part[0]) {
			continue
		}
		n.Content = append(slices.Clone(pinned), part...)
		if err := c.try(); err != nil && err.Error() == want {
			return c.blame(part[step-1], want, depth+1)
		}
	}
	return n
}

// remove takes the key that holds the node, or of a list the element, out of what is still to be checked. It reports
// whether anything was left to take.
func (c *checker) remove(node *yaml.Node) bool {
	for i := 0; i+1 < len(c.work.Content) && c.work.Kind == yaml.MappingNode; i += 2 {
		key, value := c.work.Content[i], c.work.Content[i+1]
		if slices.Contains(c.pinned, key.Value) || !contains(value, node) {
			continue
		}
		if value.Kind == yaml.SequenceNode && value != node {
			value.Content = slices.DeleteFunc(value.Content, func(e *yaml.Node) bool { return contains(e, node) })
			return true
		}
		c.work.Content = slices.Delete(c.work.Content, i, i+2)
		return true
	}
	return false
}

func (c *checker) parent(node *yaml.Node) *yaml.Node {
	var find func(n *yaml.Node) *yaml.Node
	find = func(n *yaml.Node) *yaml.Node {
		for _, child := range n.Content {
			if child == node {
				return n
			}
			if p := find(child); p != nil {
				return p
			}
		}
		return nil
	}
	return find(c.work)
}

func contains(n, wanted *yaml.Node) bool {
	return n == wanted || slices.ContainsFunc(n.Content, func(c *yaml.Node) bool { return contains(c, wanted) })
}
