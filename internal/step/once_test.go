package step_test

import (
	"hash/maphash"
	"maps"
	"reflect"
	"slices"
	"testing"

	"quorate.dev/quorate/internal/model"
)

// once keeps what was found out about states: many of those that tests go through
// look alike, the more so the more hosts are dead.
type once[K comparable, V any] map[K]V

func (o once[K, V]) get(of K, find func() V) V {
	v, known := o[of]
	if !known {
		v = find()
		o[of] = v
	}
	return v
}

var seed = maphash.MakeSeed()

// digest is of all that a plan goes by.
func digest(c model.Cluster) uint64 {
	var h maphash.Hash
	h.SetSeed(seed)
	for _, id := range c.IDs() {
		maphash.WriteComparable(&h, id)
		maphash.WriteComparable(&h, c.Hosts[id])
	}
	for _, name := range slices.Sorted(maps.Keys(c.Addons)) {
		maphash.WriteComparable(&h, name)
		maphash.WriteComparable(&h, c.Addons[name])
	}
	for _, id := range c.Critical() {
		maphash.WriteComparable(&h, id)
	}
	maphash.WriteComparable(&h, struct {
		name, conflict    string
		created           model.Known[bool]
		published         model.Published
		keepKeys, adopted bool
		recovery          model.Recovery
		survivor          model.HostID
	}{c.Name, c.Conflict, c.CAsCreated, c.Published, c.KeepKeys, c.Adopted, c.Recovery, c.Survivor})
	return h.Sum64()
}

func TestDigest(t *testing.T) {
	if n := reflect.TypeFor[model.Cluster]().NumField(); n != 13 {
		t.Errorf("a cluster has %d fields: digest must know all but its scratch and frozen", n)
	}
	c := nothing()
	c.Put("cp1", model.Host{})
	if digest(c) != digest(c.Clone()) {
		t.Error("a copy has another digest")
	}
	changed := c.Clone()
	changed.Edit("cp1", func(h *model.Host) { h.Components[model.NumComponents-1].Running = model.Unknown[string]("why") })
	if digest(c) == digest(changed) {
		t.Error("a change keeps the digest")
	}
}
