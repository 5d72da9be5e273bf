package component

import (
	"encoding/json"
	"fmt"
	"slices"
	"sync"

	"sigs.k8s.io/yaml"
)

// Render writes a typed configuration as YAML without its unset fields. Kinds
// of component configurations have no omitempty on many fields; unset ones
// ("", 0s, null) would only hide what is really said.
func Render(typed any) ([]byte, error) {
	raw, err := json.Marshal(typed)
	if err != nil {
		return nil, fmt.Errorf("write %T: %w", typed, err)
	}
	return once(source{value: string(raw)}, func() ([]byte, error) {
		m, err := fields(raw)
		if err != nil {
			return nil, err
		}
		return yaml.Marshal(m)
	})
}

// rendered are documents by what they were made of. Most hosts have the same
// ones, and a goal is made several times for a plan.
var rendered sync.Map

type source struct{ kind, value, user string }

func once(of source, render func() ([]byte, error)) ([]byte, error) {
	if text, ok := rendered.Load(of); ok {
		return slices.Clone(text.([]byte)), nil
	}
	text, err := render()
	if err == nil {
		rendered.Store(of, slices.Clone(text))
	}
	return text, err
}

// renderWith is render with the user's own fields laid over ours, field by
// field. The result must fit the type: a key that the type does not know is an
// error naming where (the path in the user's file).
func renderWith[T any](typed T, where string, user map[string]any) ([]byte, error) {
	raw, err := json.Marshal(typed)
	if err != nil {
		return nil, fmt.Errorf("write %T: %w", typed, err)
	}
	theirs, err := json.Marshal(user)
	if err != nil {
		return nil, fmt.Errorf("%s: %w; check its values", where, err)
	}
	return once(source{fmt.Sprintf("%T", typed), string(raw), string(theirs)}, func() ([]byte, error) {
		m, err := fields(raw)
		if err != nil {
			return nil, err
		}
		overlay(m, user)
		text, err := yaml.Marshal(m)
		if err != nil {
			return nil, fmt.Errorf("%s: %w; check its values", where, err)
		}
		if err := yaml.UnmarshalStrict(text, new(T)); err != nil {
			return nil, fmt.Errorf("%s does not fit %T: %w; correct the file", where, typed, err)
		}
		return text, nil
	})
}

// fields is a typed value's JSON as a map, without what is unset.
func fields(raw []byte) (map[string]any, error) {
	var m map[string]any
	if err := json.Unmarshal(raw, &m); err != nil {
		return nil, fmt.Errorf("read what was written: %w", err)
	}
	prune(m)
	return m, nil
}

// prune drops unset fields, whole branches if nothing is left of them. False
// stays: our configurations say it on purpose. It never sees the user's fields,
// where a zero is meant.
func prune(m map[string]any) {
	for k, v := range m {
		switch v := v.(type) {
		case nil:
			delete(m, k)
		case string:
			if v == "" || v == "0s" || v == "0" {
				delete(m, k)
			}
		case float64:
			if v == 0 {
				delete(m, k)
			}
		case map[string]any:
			prune(v)
			if len(v) == 0 {
				delete(m, k)
			}
		case []any:
			for _, e := range v {
				if e, ok := e.(map[string]any); ok {
					prune(e)
				}
			}
			if len(v) == 0 {
				delete(m, k)
			}
		}
	}
}

// overlay lays src over dst; maps are merged, all else is replaced.
func overlay(dst, src map[string]any) {
	for k, v := range src {
		below, ok := dst[k].(map[string]any)
		above, ok2 := v.(map[string]any)
		if ok && ok2 {
			overlay(below, above)
			continue
		}
		dst[k] = v
	}
}
