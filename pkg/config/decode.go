package config

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"
)

// decoder fills structs from a tree and reports what does not fit. Fields of structs, by their yaml tag, are the only
// keys there are; a *yaml.Node keeps its part of the tree for later, and one tagged ",rest" collects the keys that no
// other field wants. What cannot be decoded leaves its field as it was.
type decoder struct{ errs *Errors }

// scalar is a type with a notation of its own.
type scalar interface{ parse(text string) error }

var (
	nodeType     = reflect.TypeFor[*yaml.Node]()
	durationType = reflect.TypeFor[time.Duration]()
)

func (d decoder) decode(n *yaml.Node, path string, line int, v reflect.Value) {
	if isNull(n) {
		return // an empty key is the same as none
	}
	if v.Type() == nodeType {
		v.Set(reflect.ValueOf(n))
		return
	}
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		d.decode(n, path, line, v.Elem())
		return
	}
	wrong := func(want string) { d.errs.add(line, path, "", "is %s, want %s", describe(n), want) }

	switch {
	case v.Kind() == reflect.Struct && !implementsScalar(v):
		if n.Kind != yaml.MappingNode {
			wrong("a mapping")
			return
		}
		d.fields(n, path, v)
	case v.Kind() == reflect.Slice:
		if n.Kind != yaml.SequenceNode {
			wrong("a list")
			return
		}
		s := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
		eachChild(n, path, func(_, item *yaml.Node, at string) {
			if isNull(item) {
				d.errs.add(item.Line, at, "", "is empty")
			}
		})
		for i, item := range n.Content {
			d.decode(item, index(path, i), item.Line, s.Index(i))
		}
		v.Set(s)
	case v.Kind() == reflect.Map: // only of strings
		if n.Kind != yaml.MappingNode {
			wrong("a mapping")
			return
		}
		m := reflect.MakeMap(v.Type())
		for i := 0; i+1 < len(n.Content); i += 2 {
			value := reflect.New(v.Type().Elem()).Elem()
			d.decode(n.Content[i+1], join(path, n.Content[i].Value), n.Content[i].Line, value)
			m.SetMapIndex(reflect.ValueOf(n.Content[i].Value), value)
		}
		v.Set(m)
	default:
		d.scalar(n, path, line, v, wrong)
	}
}

func (d decoder) fields(n *yaml.Node, path string, v reflect.Value) {
	fields, rest := map[string]reflect.Value{}, reflect.Value{}
	for i := range v.NumField() {
		if tag := v.Type().Field(i).Tag.Get("yaml"); tag == ",rest" {
			rest = v.Field(i)
		} else {
			fields[tag] = v.Field(i)
		}
	}
	var others []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if f, ok := fields[key.Value]; ok {
			d.decode(value, join(path, key.Value), key.Line, f)
			continue
		}
		if !rest.IsValid() {
			d.errs.add(key.Line, join(path, key.Value), unknownKey(key.Value, keysOf(v.Type())), "unknown key")
			continue
		}
		others = append(others, key, value)
	}
	if rest.IsValid() {
		rest.Set(reflect.ValueOf(&yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: n.Line, Column: n.Column, Content: others}))
	}
}

func (d decoder) scalar(n *yaml.Node, path string, line int, v reflect.Value, wrong func(string)) {
	if n.Kind != yaml.ScalarNode {
		wrong(wanted(v))
		return
	}
	fail := func(format string, args ...any) { d.errs.add(line, path, "", format, args...) }
	if s, ok := reflect.TypeAssert[scalar](v.Addr()); ok {
		if err := s.parse(n.Value); err != nil {
			fail("%s", err)
		}
		return
	}
	if v.Type() == durationType {
		t, err := model.ParseDuration(n.Value)
		if err != nil {
			d.errs.add(line, path, "write 90s, 5m, 2h or 1d", "%q is not a duration", n.Value)
			return
		}
		v.SetInt(int64(t))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(n.Value)
	case reflect.Bool:
		if n.ShortTag() != "!!bool" {
			d.errs.add(line, path, "write true or false", "is %s, want a boolean", describe(n))
			return
		}
		v.SetBool(strings.EqualFold(n.Value, "true"))
	case reflect.Int:
		i, err := strconv.ParseInt(n.Value, 0, 64)
		if err != nil || n.ShortTag() != "!!int" {
			wrong(wanted(v))
			return
		}
		v.SetInt(i)
	case reflect.Float64:
		var f float64
		if tag := n.ShortTag(); tag != "!!int" && tag != "!!float" || n.Decode(&f) != nil || f-f != 0 {
			wrong(wanted(v))
			return
		}
		v.SetFloat(f)
	}
}

func implementsScalar(v reflect.Value) bool {
	_, ok := reflect.TypeAssert[scalar](v.Addr())
	return ok
}

// wanted names what a scalar field takes.
func wanted(v reflect.Value) string {
	switch {
	case v.Type() == durationType:
		return "a duration"
	case implementsScalar(v):
		return "a single value"
	}
	switch v.Kind() {
	case reflect.Bool:
		return "a boolean"
	case reflect.Int:
		return "a whole number"
	case reflect.Float64:
		return "a finite number"
	}
	return "a string"
}

// keysOf lists the keys of a struct, including those that inlined structs bring.
func keysOf(t reflect.Type) []string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	var keys []string
	for f := range t.Fields() {
		name, option, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch {
		case option == "inline" && f.Type.Kind() == reflect.Struct:
			keys = append(keys, keysOf(f.Type)...)
		case name != "" && name != "-":
			keys = append(keys, name)
		}
	}
	return keys
}

// allKeys lists the keys of a library's struct and of every struct below it.
func allKeys(t reflect.Type) []string {
	var keys []string
	seen := map[reflect.Type]bool{}
	var walk func(t reflect.Type)
	walk = func(t reflect.Type) {
		for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
			t = t.Elem()
		}
		if t.Kind() != reflect.Struct || seen[t] {
			return
		}
		seen[t] = true
		keys = append(keys, keysOf(t)...)
		for field := range t.Fields() {
			if field.IsExported() {
				walk(field.Type)
			}
		}
	}
	walk(t)
	slices.Sort(keys)
	return slices.Compact(keys)
}
