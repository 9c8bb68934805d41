package config

import (
	"bytes"
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// block is a part of the file whose syntax belongs to a library, checked by that library.
//
// The library sees a text of its own, written from the resolved tree, so that anchors and flow style need no care. What
// it says about a line of that text is translated by walking both trees side by side. What it says without a line is
// pinned down by asking again about smaller parts.
type block struct {
	node   *yaml.Node
	path   string
	wrap   func(*yaml.Node) *yaml.Node // the document around the node; nil when the node is the document
	load   func(text []byte) error
	pinned []string // keys without which the rest means nothing
	known  []string // keys to suggest when one is unknown
	hint   string   // for problems that have no better one
}

// Bounds on how often a library is asked about one block, and on how many values it is given in all.
const (
	maxAttempts = 500
	maxAsked    = 1_000_000
)

// finding is what a library said about a node of the block.
type finding struct {
	node *yaml.Node
	Problem
}

var (
	lineError   = regexp.MustCompile(`(?m)^\s*line (\d+): (.*)$`)
	fieldError  = regexp.MustCompile(`^field (.+) not found in type .+$`)
	typeError   = regexp.MustCompile("(?s)^cannot unmarshal (!!\\w+)(?: `.*`)? into (.+)$")
	libraryType = regexp.MustCompile(`^\*?\w+\.`)
)

// check reports everything the library has to say about the block.
func (b block) check(errs *Errors) {
	c := checker{block: b, work: clone(b.node), paths: map[*yaml.Node]string{}, lines: map[*yaml.Node]int{}}
	c.index(c.work, b.path, b.node.Line)
	found := false
	c.allowed = min(maxAttempts, 10+maxAsked/len(c.paths))
	for c.attempts < c.allowed {
		err := c.try()
		if err == nil {
			return
		}
		fs := c.translate(err)
		if c.attempts >= c.allowed && found {
			return // out of patience: what is known now is known less precisely than what was reported
		}
		found = true
		removed := false
		for _, f := range fs {
			if !slices.Contains(errs.Problems, f.Problem) {
				errs.Problems = append(errs.Problems, f.Problem)
			}
			removed = c.remove(f.node) || removed
		}
		if !removed {
			return
		}
	}
}

type checker struct {
	block
	work     *yaml.Node            // what is still to be checked
	paths    map[*yaml.Node]string // of keys and values of work
	lines    map[*yaml.Node]int    // of keys and values of work
	attempts int
	allowed  int
}

func (c *checker) index(n *yaml.Node, path string, line int) {
	c.paths[n], c.lines[n] = path, line
	eachChild(n, path, func(key, value *yaml.Node, at string) {
		line := value.Line
		if key != nil {
			line = key.Line
			c.paths[key], c.lines[key] = at, line
		}
		c.index(value, at, line)
	})
}

func (c *checker) try() error {
	c.attempts++
	text, err := c.text()
	if err != nil {
		return err
	}
	return c.load(text)
}

func (c *checker) document() *yaml.Node {
	if c.wrap == nil {
		return c.work
	}
	return c.wrap(c.work)
}

func (c *checker) text() ([]byte, error) { return marshal(c.document()) }

func marshal(n *yaml.Node) ([]byte, error) {
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(n); err != nil {
		return nil, fmt.Errorf("write YAML: %w", err)
	}
	return b.Bytes(), nil
}

// translate turns the library's error into problems at nodes of the block, the block itself if nothing better is known.
func (c *checker) translate(err error) []finding {
	var fs []finding
	at := c.nodesByLine()
	for _, m := range lineError.FindAllStringSubmatch(err.Error(), -1) {
		line, _ := strconv.Atoi(m[1])
		node, cause := at[line], m[2]
		if node == nil {
			node = c.work
		}
		f := finding{node: node, Problem: Problem{Line: c.lines[node], Key: c.paths[node], Cause: cause, Hint: c.hint}}
		if m := fieldError.FindStringSubmatch(cause); m != nil {
			f.Cause, f.Hint = "unknown key", unknownKey(m[1], c.known)
		} else if m := typeError.FindStringSubmatch(cause); m != nil {
			f = c.wrongType(f, m[1], m[2])
		}
		fs = append(fs, f)
	}
	if len(fs) > 0 {
		return fs
	}
	node := c.blame(c.work, err.Error(), 0)
	cause := strings.TrimPrefix(err.Error(), "yaml: ")
	if isSensitive(c.paths[node]) {
		cause = "is not valid"
	}
	return []finding{{node, Problem{Line: c.lines[node], Key: c.paths[node], Cause: cause, Hint: cmp.Or(targetHint(cause), c.hint)}}}
}

var urlTarget = regexp.MustCompile(`^"(https?)://([^/"?]*)(/[^"?]*)?[^"]*" is not a valid hostname$`)

// targetHint says how an address is written that was given as a URL.
func targetHint(cause string) string {
	m := urlTarget.FindStringSubmatch(cause)
	if m == nil {
		return ""
	}
	var beside []string
	if m[1] == "https" {
		beside = append(beside, "scheme: https")
	}
	if m[3] != "" && m[3] != "/" && m[3] != "/metrics" {
		beside = append(beside, "metrics_path: "+m[3])
	}
	if len(beside) == 0 {
		return "write " + m[2]
	}
	return "write " + m[2] + ", and beside static_configs " + strings.Join(beside, " and ")
}

// wrongType leaves out the value, which may be a secret. A mapping or list begins in the line of its first entry, so the
// node found there may be that entry.
func (c *checker) wrongType(f finding, tag, want string) finding {
	if tag == "!!map" || tag == "!!seq" {
		if p := c.parent(f.node); p != nil && f.node.ShortTag() != tag {
			f.node, f.Line, f.Key = p, c.lines[p], c.paths[p]
		}
	}
	f.Cause = "is " + describeTag(tag)
	switch {
	case strings.HasPrefix(want, "[]"):
		f.Cause += ", want a list"
	case want == "string", want == "bool":
		f.Cause += ", want a " + map[string]string{"string": "string", "bool": "boolean"}[want]
	case strings.HasPrefix(want, "int"), strings.HasPrefix(want, "uint"):
		f.Cause += ", want a whole number"
	case strings.HasPrefix(want, "float"):
		f.Cause += ", want a number"
	case strings.HasPrefix(want, "map["), libraryType.MatchString(want):
		if tag != "!!map" {
			f.Cause += ", want a mapping"
		}
	}
	return f
}

// nodesByLine says which key or element stands first in each line of the text the library saw.
func (c *checker) nodesByLine() map[int]*yaml.Node {
	at := map[int]*yaml.Node{}
	text, err := c.text()
	if err != nil {
		return at
	}
	var doc yaml.Node
	if yaml.Unmarshal(text, &doc) != nil || len(doc.Content) == 0 {
		return at
	}
	var walk func(ours, theirs *yaml.Node)
	walk = func(ours, theirs *yaml.Node) {
		if _, ok := c.paths[ours]; ok && at[theirs.Line] == nil {
			at[theirs.Line] = ours
		}
		for i := range min(len(ours.Content), len(theirs.Content)) {
			if ours.Kind == yaml.MappingNode && i%2 == 0 {
				if _, ok := c.paths[ours]; ok {
					at[theirs.Content[i].Line] = ours.Content[i+1]
				}
				continue
			}
			walk(ours.Content[i], theirs.Content[i])
		}
	}
	walk(c.document(), doc.Content[0])
	return at
}

func clone(n *yaml.Node) *yaml.Node {
	c := *n
	c.Content = nil
	for _, child := range n.Content {
		c.Content = append(c.Content, clone(child))
	}
	return &c
}

// mapping builds a mapping of keys and values, for the document around a block.
func mapping(keysAndValues ...any) *yaml.Node {
	m := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	for i := 0; i+1 < len(keysAndValues); i += 2 {
		value, ok := keysAndValues[i+1].(*yaml.Node)
		if !ok {
			value = &yaml.Node{}
			value.SetString(fmt.Sprint(keysAndValues[i+1]))
			value.Tag = ""
		}
		key := &yaml.Node{}
		key.SetString(keysAndValues[i].(string))
		m.Content = append(m.Content, key, value)
	}
	return m
}

func sequence(items ...*yaml.Node) *yaml.Node {
	return &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Content: items}
}
