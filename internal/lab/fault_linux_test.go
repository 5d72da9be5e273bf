package lab

import (
	"slices"
	"testing"
)

func TestParsePorts(t *testing.T) {
	if got, err := parsePorts("2379-2380,6443"); err != nil || !slices.Equal(got, []int{2379, 2380, 6443}) {
		t.Errorf("%v, %v", got, err)
	}
	for _, bad := range []string{"", "0", "a", "2380-2379", "1-", "65536", "1-2000", "22,,23"} {
		if got, err := parsePorts(bad); err == nil {
			t.Errorf("%q: %v", bad, got)
		}
	}
}

func TestParseCuts(t *testing.T) {
	const text = `{"nftables": [{"metainfo": {"json_schema_version": 1}}, {"table": {"family": "bridge", "name": "q"}},
 {"set": {"family": "bridge", "name": "cut", "type": "ifname", "elem": ["ql1cp1"]}},
 {"set": {"family": "bridge", "name": "cutports", "type": ["ifname", "inet_service"], "elem": [{"concat": ["ql1cp3", 2380]}, {"concat": ["ql1cp3", 2379]}]}},
 {"chain": {"family": "bridge", "name": "from"}}]}`
	cuts, err := parseCuts(text)
	if err != nil || len(cuts) != 2 || !cuts["ql1cp1"].all || cuts["ql1cp3"].all || !slices.Equal(cuts["ql1cp3"].ports, []int{2379, 2380}) {
		t.Errorf("%+v, %v", cuts, err)
	}
	if _, err := parseCuts(`{"nftables": [{"set": {"name": "cutports", "elem": [{"concat": [1, 2]}]}}]}`); err == nil {
		t.Error("what cannot be read is none")
	}
}
