package config

import (
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Keys whose values, and everything below them, are nobody's business. Files and references to secrets are not secret.
var (
	sensitiveKey = regexp.MustCompile(`(?i)(^|[._\]])(\w*(password|secret|token|credentials?)|client_certificate_key|proxy_url|headers|http_headers|proxy_connect_header|tls_config\.key)($|[.\[])`)
	webhookURL   = regexp.MustCompile(`(webhook_configs\[\d+\]|engine\.remote)\.(remote_write_)?url$`)
	harmlessKey  = regexp.MustCompile(`_(file|ref)$|(^|\.)(http_)?headers\.[^.]+\.files(\[\d+\])?$|_url$`)
	userinfo     = regexp.MustCompile(`://[^/@\s]+@`)
)

func isSensitive(path string) bool {
	if webhookURL.MatchString(path) {
		return true
	}
	return sensitiveKey.MatchString(path) && (!harmlessKey.MatchString(path) || strings.HasSuffix(path, "proxy_url"))
}

// redact replaces what is secret in the tree, in place.
func redact(n *yaml.Node, path string) {
	eachChild(n, path, func(_, v *yaml.Node, at string) {
		if v.Kind == yaml.ScalarNode && v.Value != "" {
			if isSensitive(at) {
				v.SetString(redacted)
			} else {
				v.Value = userinfo.ReplaceAllString(v.Value, "://"+redacted+"@")
			}
		}
		redact(v, at)
	})
}

// secrets lists the secret values of the tree, longest first.
func secrets(root *yaml.Node) []string {
	var found []string
	var walk func(n *yaml.Node, path string)
	walk = func(n *yaml.Node, path string) {
		eachChild(n, path, func(_, v *yaml.Node, at string) {
			if v.Kind == yaml.ScalarNode {
				if isSensitive(at) && len(v.Value) >= 4 && v.ShortTag() != "!!bool" {
					found = append(found, v.Value)
				}
				for _, u := range userinfo.FindAllString(v.Value, -1) {
					found = append(found, u[len("://"):len(u)-1])
				}
			}
			walk(v, at)
		})
	}
	if root != nil {
		walk(root, "")
	}
	slices.SortFunc(found, func(a, b string) int { return len(b) - len(a) })
	return slices.Compact(found)
}

// redactProblems removes secrets that a library quoted in its message.
func redactProblems(errs *Errors, root *yaml.Node) {
	for _, s := range secrets(root) {
		for i := range errs.Problems {
			errs.Problems[i].Cause = strings.ReplaceAll(errs.Problems[i].Cause, s, redacted)
			errs.Problems[i].Hint = strings.ReplaceAll(errs.Problems[i].Hint, s, redacted)
		}
	}
}
