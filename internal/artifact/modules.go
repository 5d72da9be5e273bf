package artifact

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Modules builds programs from their Go modules with the Go toolchain of this
// machine. The same versions, toolchain and recipes give the same bytes.
type Modules struct {
	store *Store
	found func(context.Context) (golang, string, error)
}

// NewModules makes a source that builds into store.
func NewModules(store *Store) *Modules {
	return &Modules{store: store, found: findGo}
}

// Fetch builds what of names is not in the store yet. Components are built one
// after the other, since each build uses all cores.
func (m *Modules) Fetch(ctx context.Context, v Versions, arch string, names []string, progress func(Event)) ([]File, error) {
	order, groups, err := byComponent(names)
	if err != nil {
		return nil, err
	}
	g, toolchain, err := m.found(ctx)
	if err != nil {
		return nil, err
	}
	all := map[string]File{}
	for _, c := range order {
		r, err := recipeOf(c)
		if err != nil {
			return nil, err
		}
		files, err := m.component(ctx, g, r, r.key(v, arch, toolchain), groups[c], progress)
		if err != nil {
			return nil, fmt.Errorf("build %s %s: %w%s", c, r.versionOf(v), err, newerGo(err))
		}
		for n, f := range files {
			all[n] = f
		}
	}
	return inOrder(names, all), nil
}

// component makes the named programs of one recipe.
func (m *Modules) component(ctx context.Context, g golang, r recipe, key Key, names []string, progress func(Event)) (map[string]File,
	error) {
	tell := teller(r.component, progress)
	have, missing, err := m.store.lookup(key, names, tell)
	if err != nil {
		return nil, err
	}
	if len(missing) == 0 {
		tell("cached", strings.Join(names, " "), len(names), len(names))
		return have, nil
	}
	w, err := m.store.begin(ctx, key.lockName(), func() { tell("wait", "another quorate is building it", 0, 0) })
	if err != nil {
		return nil, err
	}
	defer w.end()
	// Another process may have made it while we waited.
	if have, missing, err = m.store.lookup(key, names, tell); err != nil {
		return nil, err
	}
	if len(missing) > 0 {
		start := time.Now()
		made, err := m.build(ctx, g, r, key, missing, w, tell)
		if err != nil {
			return nil, err
		}
		if err := m.store.record(key, time.Since(start), origin{}, made...); err != nil {
			return nil, err
		}
		for _, f := range made {
			have[f.Name] = f
		}
	}
	tell("done", strings.Join(names, " "), len(names), len(names))
	return have, nil
}

// build compiles the named programs and adds them to the store. Only w's folder
// is cleared after a kill; the one with go.mod and go.sum stays, so that a
// second build asks the network nothing.
func (m *Modules) build(ctx context.Context, g golang, r recipe, key Key, names []string, w *work, tell telling) ([]File, error) {
	if r.cgo {
		if err := cgoReady(ctx, key.Arch); err != nil {
			return nil, err
		}
	}
	dir := filepath.Join(m.store.root, "build", key.lockName())
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make build folder: %w", err)
	}
	g = g.in(dir, key.Arch, r.cgo, w)
	fetched := 0
	fetching := func(line string) {
		if mod, ok := strings.CutPrefix(line, "go: downloading "); ok {
			fetched++
			tell("download", mod, fetched, 0)
		}
	}
	sum, released := "", ""
	var mods []module
	if len(r.modules) > 0 {
		tell("download", strings.Join(r.modules, " "), 0, 0)
		var err error
		if mods, err = g.download(ctx, fetching, key.Version, r.modules); err != nil {
			return nil, err
		}
		sum, released = mods[0].Sum, mods[0].released()
	}
	if err := writeModule(dir, r, key.Version, mods); err != nil {
		return nil, err
	}
	link := append([]string{"-s", "-w"}, stamp(r.stamps, key.Version, sum, released)...)
	if r.cgo {
		link = append(link, "-linkmode external", "-extldflags -static")
	}
	targets := r.pick(names)
	for _, group := range byTags(targets) {
		tags := "-tags=" + strings.TrimSpace(r.tags+" "+group[0].tags)
		if err := compile(ctx, g, group, tags, strings.Join(link, " "), w.dir, fetching, tell); err != nil {
			return nil, err
		}
	}
	var files []File
	for _, t := range targets {
		f, err := m.store.add(t.name, filepath.Join(w.dir, t.name))
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	return files, nil
}
