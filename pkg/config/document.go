package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// Bounds on what a file may make us do.
const (
	maxBytes    = 10 << 20
	maxDepth    = 100
	maxExpanded = 100_000 // nodes that aliases may add
)

var syntaxError = regexp.MustCompile(`^yaml: (?:line (\d+): )?((?s).*)$`)

// parse returns the root of the document as a plain tree: a mapping without aliases, merge keys and duplicates, or nil
// when the file is empty or broken. Problems go to errs.
func parse(b []byte, errs *Errors) *yaml.Node {
	if !utf8.Valid(b) {
		line := 1
		for len(b) > 0 {
			r, n := utf8.DecodeRune(b)
			if r == utf8.RuneError && n == 1 {
				break
			}
			if r == '\n' {
				line++
			}
			b = b[n:]
		}
		errs.add(line, "", "save the file as UTF-8", "is not UTF-8")
		return nil
	}
	b = bytes.TrimPrefix(b, []byte("\ufeff"))

	var doc, second yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(b))
	if err := dec.Decode(&doc); err != nil {
		if !errors.Is(err, io.EOF) {
			addSyntaxError(b, err, errs)
		}
		return nil
	}
	if err := dec.Decode(&second); err == nil {
		errs.add(second.Line, "", "", "second document: a file is one document")
		return nil
	} else if !errors.Is(err, io.EOF) {
		addSyntaxError(b, err, errs)
		return nil
	}
	if len(doc.Content) == 0 {
		return nil
	}
	e := expander{errs: errs, budget: maxExpanded, active: map[*yaml.Node]bool{}}
	root := e.expand(doc.Content[0], "", 0, false)
	switch {
	case root == nil, root.Kind == yaml.ScalarNode && root.ShortTag() == "!!null":
		return nil
	case root.Kind != yaml.MappingNode:
		errs.add(root.Line, "", "", "is %s, want a mapping of keys", describe(root))
		return nil
	}
	return root
}

func addSyntaxError(b []byte, err error, errs *Errors) {
	line, cause := 0, err.Error()
	if m := syntaxError.FindStringSubmatch(cause); m != nil {
		line, _ = strconv.Atoi(m[1])
		cause = m[2]
	}
	lines := strings.Split(string(b), "\n")
	// The parser reports a tab where it gave up, which may be a line away from the tab.
	for _, l := range []int{line, line + 1, line - 1} {
		if l < 1 || l > len(lines) {
			continue
		}
		text := lines[l-1]
		if indent := text[:len(text)-len(strings.TrimLeft(text, " \t"))]; strings.Contains(indent, "\t") {
			errs.add(l, "", "indent with spaces", "tab in indentation")
			return
		}
	}
	errs.add(max(line, 1), "", "", "%s", cause)
}

// expander copies a tree, replacing every alias by what it names and merging merge keys.
type expander struct {
	errs   *Errors
	budget int                 // nodes that aliases may still add
	active map[*yaml.Node]bool // anchors being expanded
	spent  bool                // the budget problem is reported once
}

// expand returns the copy of n, nil when it cannot be had.
func (e *expander) expand(n *yaml.Node, path string, depth int, aliased bool) *yaml.Node {
	if depth > maxDepth {
		e.errs.add(n.Line, path, "", "nested deeper than %d levels", maxDepth)
		return nil
	}
	if aliased {
		if e.budget--; e.budget < 0 {
			if !e.spent {
				e.spent = true
				e.errs.add(n.Line, path, "", "aliases expand to more than %d values", maxExpanded)
			}
			return nil
		}
	}
	if n.Kind == yaml.AliasNode {
		if e.active[n.Alias] {
			e.errs.add(n.Line, path, "", "anchor %q contains itself", n.Value)
			return nil
		}
		e.active[n.Alias] = true
		defer delete(e.active, n.Alias)
		return e.expand(n.Alias, path, depth+1, true)
	}
	c := &yaml.Node{Kind: n.Kind, Tag: n.Tag, Value: n.Value, Style: n.Style &^ yaml.FlowStyle, Line: n.Line, Column: n.Column}
	switch n.Kind {
	case yaml.SequenceNode:
		for i, item := range n.Content {
			if x := e.expand(item, index(path, i), depth+1, aliased); x != nil {
				c.Content = append(c.Content, x)
			}
		}
	case yaml.MappingNode:
		e.mapping(c, n, path, depth, aliased)
	}
	return c
}

func (e *expander) mapping(c, n *yaml.Node, path string, depth int, aliased bool) {
	first := map[string]int{} // line of each key
	var merged []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := e.expand(n.Content[i], path, depth+1, aliased)
		if key == nil {
			continue
		}
		if key.Kind != yaml.ScalarNode {
			e.errs.add(key.Line, path, "", "key is %s, want a name", describe(key))
			continue
		}
		at := join(path, key.Value)
		if line, ok := first[key.Value]; ok && key.ShortTag() != "!!merge" {
			e.errs.add(key.Line, at, "", "duplicate key: already set in line %d", line)
			continue
		}
		value := e.expand(n.Content[i+1], at, depth+1, aliased)
		if value == nil {
			continue
		}
		if key.ShortTag() == "!!merge" {
			merged = append(merged, value)
			continue
		}
		first[key.Value] = key.Line
		c.Content = append(c.Content, key, value)
	}
	for _, m := range merged {
		sources := []*yaml.Node{m}
		if m.Kind == yaml.SequenceNode {
			sources = m.Content
		}
		for _, s := range sources {
			if s.Kind != yaml.MappingNode {
				e.errs.add(s.Line, path, "", "merge key names %s, want a mapping", describe(s))
				continue
			}
			for i := 0; i+1 < len(s.Content); i += 2 {
				if _, ok := first[s.Content[i].Value]; !ok {
					first[s.Content[i].Value] = s.Content[i].Line
					c.Content = append(c.Content, s.Content[i], s.Content[i+1])
				}
			}
		}
	}
}

// place is where a key of the file stands and what it holds.
type place struct {
	line int
	node *yaml.Node
}

// places indexes a tree by key path. Keys without a value are absent; elements of a list always count.
func places(root *yaml.Node) map[string]place {
	m := map[string]place{}
	var walk func(n *yaml.Node, path string, line int)
	walk = func(n *yaml.Node, path string, line int) {
		m[path] = place{line, n}
		eachChild(n, path, func(key, value *yaml.Node, at string) {
			line := value.Line
			if key != nil {
				if isNull(value) {
					return
				}
				line = key.Line
			}
			walk(value, at, line)
		})
	}
	if root != nil {
		walk(root, "", root.Line)
	}
	return m
}

// eachChild calls f with the values of a mapping, with their keys, or with the elements of a sequence.
func eachChild(n *yaml.Node, path string, f func(key, value *yaml.Node, path string)) {
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			f(n.Content[i], n.Content[i+1], join(path, n.Content[i].Value))
		}
	case yaml.SequenceNode:
		for i, v := range n.Content {
			f(nil, v, index(path, i))
		}
	}
}

// lookup returns the value of a mapping's key, nil when it has none.
func lookup(n *yaml.Node, key string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key && !isNull(n.Content[i+1]) {
			return n.Content[i+1]
		}
	}
	return nil
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

func join(path, key string) string {
	if len(key) > 128 {
		key = key[:128] // a path is for reading
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

func index(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// describe names what a node is, for a message that wants something else. It shows no value.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	return describeTag(n.ShortTag())
}

func describeTag(tag string) string {
	switch tag {
	case "!!str":
		return "a string"
	case "!!int", "!!float":
		return "a number"
	case "!!bool":
		return "a boolean"
	case "!!null":
		return "empty"
	case "!!timestamp":
		return "a date"
	case "!!map":
		return "a mapping"
	case "!!seq":
		return "a list"
	}
	return fmt.Sprintf("of type %s", tag)
}
