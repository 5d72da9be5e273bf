package spec

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// Marshal is the cluster as canonical YAML: keys in the types' order, maps
// sorted, absent values left out. Equal clusters give equal bytes.
func Marshal(c *Cluster) ([]byte, error) {
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(toNode(reflect.ValueOf(*c))); err != nil {
		return nil, fmt.Errorf("marshal cluster: %w", err)
	}
	if err := enc.Close(); err != nil {
		return nil, fmt.Errorf("marshal cluster: %w", err)
	}
	return b.Bytes(), nil
}

// Redacted is the cluster without how its hosts are reached: the copy that is
// kept in the cluster itself. Hosts behind one forwarded address, told apart by
// their ports only, go by their internal addresses there.
func Redacted(c *Cluster) *Cluster {
	out := *c
	out.Spec.SSH = SSH{}
	out.Spec.Hosts = slices.Clone(c.Spec.Hosts)
	sharing := map[string]int{}
	for _, h := range c.Spec.Hosts {
		sharing[h.Address]++
	}
	for i := range out.Spec.Hosts {
		h := &out.Spec.Hosts[i]
		h.SSH = nil
		if sharing[h.Address] > 1 {
			h.Address = h.InternalAddress
		}
	}
	return &out
}

// toNode is the reverse of decoder.value.
func toNode(v reflect.Value) *yaml.Node {
	scalar := func(tag, value string) *yaml.Node {
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: value}
	}
	switch v.Kind() {
	case reflect.Invalid:
		return scalar("!!null", "null")
	case reflect.Pointer, reflect.Interface:
		return toNode(v.Elem())
	case reflect.Struct:
		n := &yaml.Node{Kind: yaml.MappingNode}
		for _, f := range fieldsOf(v.Type()) {
			if fv := v.FieldByIndex(f.index); !f.optional || !fv.IsZero() {
				n.Content = append(n.Content, scalar("!!str", f.key), toNode(fv))
			}
		}
		return n
	case reflect.Map:
		n := &yaml.Node{Kind: yaml.MappingNode}
		keys := v.MapKeys()
		slices.SortFunc(keys, func(a, b reflect.Value) int { return cmp.Compare(a.String(), b.String()) })
		for _, k := range keys {
			n.Content = append(n.Content, scalar("!!str", k.String()), toNode(v.MapIndex(k)))
		}
		return n
	case reflect.Slice:
		if v.Type() == reflect.TypeFor[Values]() && v.Len() == 1 {
			return toNode(v.Index(0))
		}
		n := &yaml.Node{Kind: yaml.SequenceNode}
		for i := range v.Len() {
			n.Content = append(n.Content, toNode(v.Index(i)))
		}
		return n
	case reflect.String:
		return scalar("!!str", v.String())
	case reflect.Bool:
		return scalar("!!bool", strconv.FormatBool(v.Bool()))
	case reflect.Float32, reflect.Float64:
		if f := v.Float(); f == math.Trunc(f) && math.Abs(f) < 1<<53 {
			return scalar("!!int", strconv.FormatInt(int64(f), 10)) // as JSON has it
		}
		return scalar("!!float", strconv.FormatFloat(v.Float(), 'g', -1, 64))
	}
	return scalar("!!int", fmt.Sprint(v.Interface()))
}
