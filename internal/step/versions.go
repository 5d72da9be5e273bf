package step

import (
	"fmt"
	"slices"
	"strings"

	"quorate.dev/quorate/internal/model"
)

// changedVersions says that a host is set up with other versions than the file's,
// which nothing changes yet. "" is none.
func changedVersions(have, want *model.Host) string {
	var from, to []string
	for v := range model.NumComponents {
		is, shall := have.Components[v].Version, want.Components[v].Version
		if is == "" || shall == "" || is == shall {
			continue
		}
		if f := product(v) + " " + is; !slices.Contains(from, f) {
			from, to = append(from, f), append(to, product(v)+" "+shall)
		}
	}
	if len(from) == 0 {
		return ""
	}
	return fmt.Sprintf("it runs %s, and the file says %s: quorate cannot change the versions of a cluster yet; "+
		"set kubernetes.version and artifacts.versions to what runs, then apply again",
		strings.Join(from, ", "), strings.Join(slices.Compact(to), ", "))
}

// product is what a component's version is the version of.
func product(v model.Component) string {
	switch v {
	case model.Etcd, model.Containerd:
		return v.String()
	}
	return "Kubernetes"
}
