package artifact

import (
	"maps"
	"slices"
	"testing"

	"quorate.dev/quorate/internal/spec"
)

// The file takes exactly those hosts and components that there are here.
func TestFileAgrees(t *testing.T) {
	hosts, components := spec.ArtifactKeys()
	slices.Sort(hosts)
	if want := slices.Sorted(maps.Keys(upstreamBases)); !slices.Equal(hosts, want) {
		t.Errorf("the file takes the hosts %v, we have %v", hosts, want)
	}
	if want := overridable(); !slices.Equal(components, want) {
		t.Errorf("the file takes the components %v, we have %v", components, want)
	}
}
