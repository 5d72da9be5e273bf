package model_test

import (
	"fmt"
	"strings"
	"testing"

	"quorate.dev/quorate/internal/model"
)

func TestSilences(t *testing.T) {
	for name, at := range map[string]struct{ sees, want string }{
		"nothing":                        {"", "[]"},
		"cut off from both":              {"a:c b:c c:a,b", "[c: etcd does not answer a, b]"},
		"cut off, and no leader hears":   {"a:c b:c c:a", "[c: etcd does not answer a, b]"},
		"seen from itself only":          {"c:a,b", "[c: etcd of a, b does not answer it]"},
		"hangs":                          {"a:c b:c c:c", "[c: etcd answers neither a, b nor its own host: it hangs]"},
		"one way between two":            {"a:b", "[b: etcd does not answer a]"},
		"two are cut off from the third": {"a:b,c b:a,c c:a,b", "[a: etcd does not answer b, c b: etcd does not answer c]"},
		"one that does not answer us":    {"a:z b:z", "[]"},
	} {
		c := cluster("up up up")
		c.Put("z", member("lost"))
		for _, s := range strings.Fields(at.sees) {
			seer, seen, _ := strings.Cut(s, ":")
			var set model.HostSet
			for _, id := range strings.Split(seen, ",") {
				set = set.With(model.HostID(id))
			}
			c.Edit(model.HostID(seer), func(h *model.Host) { h.EtcdSilent = model.Is(set) })
		}
		said := []string{}
		for _, s := range c.Silences() {
			said = append(said, fmt.Sprintf("%s: %s", s.Host, s))
		}
		if got := fmt.Sprint(said); got != at.want {
			t.Errorf("%s: %s, want %s", name, got, at.want)
		}
	}
}
