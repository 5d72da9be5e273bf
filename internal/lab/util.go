package lab

import (
	"maps"
	"slices"
	"strings"
)

func keys[V any](m map[string]V) []string { return slices.Collect(maps.Keys(m)) }

// sorted joins words in a stable order.
func sorted(words []string) string { return strings.Join(slices.Sorted(slices.Values(words)), " ") }
