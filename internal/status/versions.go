package status

import (
	"fmt"
	"slices"
	"strings"

	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/observe"
)

// Version is which versions of a component run, beside the file's.
type Version struct {
	Component string    `json:"component"`
	File      string    `json:"file"`
	Running   []Running `json:"running"` // one entry for each version; the file's first
}

// Running is a version of a component and where it runs.
type Running struct {
	Version string         `json:"version"` // "unknown": its process does not tell
	Hosts   []model.HostID `json:"hosts"`
}

// asFile says that nothing else runs than what the file says.
func (v Version) asFile() bool {
	return len(v.Running) == 0 || len(v.Running) == 1 && v.Running[0].Version == v.File
}

// versions are those of what quorate brings; nginx and the routes are not.
func (s *Status) versions(ob *observe.Observation) {
	s.Versions = []Version{}
	for v := range model.NumComponents {
		one := Version{Component: v.String(), File: ob.Goal.Artifacts.Versions.Of(v.String()), Running: []Running{}}
		if one.File == "" {
			continue
		}
		at := map[string][]model.HostID{}
		for _, id := range ob.IDs() {
			if h, wanted := ob.Goal.Hosts[id]; wanted && h.Services[v] == nil {
				continue // a pod of the cluster's own, as kube-proxy may be
			}
			if f := ob.Facts[id]; f.Err == nil && f.Up(v) {
				is := f.Services[v].Version
				if is == "" {
					is = "unknown"
				}
				at[is] = append(at[is], id)
			}
		}
		for is, hosts := range at {
			one.Running = append(one.Running, Running{is, hosts})
		}
		slices.SortFunc(one.Running, func(a, b Running) int {
			if a.Version == one.File || b.Version == one.File {
				return btoi(b.Version == one.File) - btoi(a.Version == one.File)
			}
			return strings.Compare(a.Version, b.Version)
		})
		s.Versions = append(s.Versions, one)
	}
}

// agreed lists the versions, when all that runs is as the file says; else "".
func (s Status) agreed() string {
	var says []string
	for _, v := range s.Versions {
		switch {
		case !v.asFile():
			return ""
		case len(v.Running) == 0:
			continue
		}
		name := "Kubernetes"
		if v.Component == model.Etcd.String() || v.Component == model.Containerd.String() {
			name = v.Component
		}
		if l := name + " " + v.File; !slices.Contains(says, l) {
			says = append(says, l)
		}
	}
	return strings.Join(says, ", ")
}

// differing are the rows of the versions that are not as the file says.
func (s Status) differing() (rows [][]string) {
	for _, v := range s.Versions {
		if v.asFile() {
			continue
		}
		var runs []string
		for _, r := range v.Running {
			if len(v.Running) == 1 {
				runs = append(runs, r.Version+" everywhere")
				continue
			}
			runs = append(runs, fmt.Sprintf("%s on %s", r.Version, list(r.Hosts)))
		}
		rows = append(rows, []string{v.Component, strings.Join(runs, "; "), v.File})
	}
	return rows
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}
