package config

import (
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A dollar stands for itself unless it is doubled or begins ${NAME}: regular expressions and templates are full of them.
var reference = regexp.MustCompile(`\$\$|\$\{[A-Z_][A-Z0-9_]*\}`)

// payloadPath leads to the payload of a webhook, a tree of templates.
var payloadPath = regexp.MustCompile(`^alerting\.receivers\[\d+\]\.webhook_configs\[\d+\]\.payload($|[.\[])`)

// expandEnv replaces ${NAME} and $$ in every string value of the tree, in place. Prometheus' own scrape_configs and
// texts that may be templates stay as they are. It calls unset for every variable there is not.
func expandEnv(n *yaml.Node, path string, lookupEnv func(string) (string, bool), unset func(path, name string)) {
	eachChild(n, path, func(_, v *yaml.Node, at string) {
		if at == "scrape_configs" || isTemplate(at) {
			return
		}
		if v.Kind == yaml.ScalarNode && v.ShortTag() == "!!str" {
			expandScalar(v, at, lookupEnv, unset)
		}
		expandEnv(v, at, lookupEnv, unset)
	})
}

// isTemplate reports whether the values below a path are text for Go's template language.
func isTemplate(path string) bool {
	return strings.HasPrefix(path, "signals[") && strings.HasSuffix(path, "].annotations") ||
		strings.HasPrefix(path, "alerting.route") && strings.HasSuffix(path, ".labels") ||
		payloadPath.MatchString(path)
}

func expandScalar(n *yaml.Node, path string, lookupEnv func(string) (string, bool), unset func(path, name string)) {
	text := reference.ReplaceAllStringFunc(n.Value, func(ref string) string {
		if ref == "$$" {
			return "$"
		}
		name := ref[2 : len(ref)-1]
		value, ok := lookupEnv(name)
		if !ok {
			unset(path, name)
		}
		return value
	})
	if text == n.Value {
		return
	}
	n.Value = text
	if n.Style != 0 {
		return
	}
	// An unquoted ${LIMIT} may stand for a number or a boolean, as if it had been written there.
	switch tag := (&yaml.Node{Kind: yaml.ScalarNode, Value: text}).ShortTag(); tag {
	case "!!int", "!!float", "!!bool":
		n.Tag = tag
	}
}
