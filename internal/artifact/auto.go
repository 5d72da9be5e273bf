package artifact

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// reachTime is how long the projects' downloads may take to answer before they
// count as out of reach.
const reachTime = 3 * time.Second

// Auto takes what the store has, whoever made it; for the rest a bundle beside
// the cluster file, the projects' downloads or the Go modules, whichever is the
// first that can be used.
type Auto struct {
	store    *Store
	beside   string // the cluster file's folder; "": no bundle
	upstream *Upstream
	modules  *Modules
	// pinned says that the file has checksums: only a download can be held to them.
	pinned bool

	chosen   Source // for what the store lacks
	imported bool   // the bundle is in the store
}

// NoSourceError says that artefacts are missing and that there is no way to get them.
type NoSourceError struct {
	Missing string // what is missing first
	Bundle  string // where a bundle was looked for
	Why     error  // why the downloads could not be reached
}

func (e NoSourceError) Error() string {
	return fmt.Sprintf(`%s is not in the store, and there is no way to get it; one of these is needed:
  the store: copy it from a machine that has it, or run there: quorate artifacts build
  a bundle: put it at %s (quorate artifacts bundle makes it, on a machine that has the artefacts)
  the projects' downloads: they did not answer within %s (%v); set HTTPS_PROXY, or mirrors in artifacts.baseURLs
  Go modules: install Go 1.26 or newer from https://go.dev/dl; GOPROXY names another proxy`, e.Missing, e.Bundle, reachTime, e.Why)
}

// Fetch gets the named programs.
func (a *Auto) Fetch(ctx context.Context, v Versions, arch string, names []string, progress func(Event)) ([]File, error) {
	order, groups, err := byComponent(names)
	if err != nil {
		return nil, err
	}
	all := map[string]File{}
	for _, c := range order {
		if v.Get(c) == "" { // it is quorate's own, and published nowhere
			files, err := a.modules.Fetch(ctx, v, arch, groups[c], progress)
			if err != nil {
				return nil, err
			}
			for _, f := range files {
				all[f.Name] = f
			}
			continue
		}
		version := strings.TrimPrefix(v.Get(c), "v")
		have, err := a.stored(ctx, v, arch, progress, func() (map[string]File, error) {
			return a.store.programs(c, version, arch, groups[c])
		})
		if err != nil {
			return nil, err
		}
		if have != nil {
			teller(c, progress)("cached", strings.Join(groups[c], " "), len(have), len(have))
			maps.Copy(all, have)
			continue
		}
		src, err := a.source(ctx, c+" "+version, v, arch)
		if err != nil {
			return nil, err
		}
		files, err := src.Fetch(ctx, v, arch, groups[c], progress)
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			all[f.Name] = f
		}
	}
	return inOrder(names, all), nil
}

// Images gets a tar with the named images.
func (a *Auto) Images(ctx context.Context, v Versions, arch, set string, names []string, progress func(Event)) (File, error) {
	imgs, err := imagesOf(names)
	if err != nil {
		return File{}, err
	}
	tar, err := tarName(set)
	if err != nil {
		return File{}, err
	}
	var refs []string
	for _, img := range imgs {
		refs = append(refs, img.ref(v))
	}
	have, err := a.stored(ctx, v, arch, progress, func() (map[string]File, error) { return a.store.images(tar, arch, refs) })
	if err != nil {
		return File{}, err
	}
	if have != nil {
		teller("images-"+set, progress)("cached", tar, 1, 1)
		return have[tar], nil
	}
	src, err := a.source(ctx, strings.Join(refs, " and "), v, arch)
	if err != nil {
		return File{}, err
	}
	return src.Images(ctx, v, arch, set, names, progress)
}

// stored looks into the store, and again when a bundle was brought into it; nil
// is not all there.
func (a *Auto) stored(ctx context.Context, v Versions, arch string, progress func(Event),
	look func() (map[string]File, error)) (map[string]File, error) {
	if a.pinned {
		return nil, nil
	}
	have, err := look()
	if err != nil || have != nil || a.imported || a.beside == "" {
		return have, err
	}
	a.imported = true
	found, err := a.store.Import(ctx, a.bundle(v, arch), teller("bundle", progress))
	if err != nil || !found {
		return nil, err
	}
	return look()
}

// bundle is where the bundle of these versions is looked for.
func (a *Auto) bundle(v Versions, arch string) string {
	return filepath.Join(a.beside, BundleName(v, arch))
}

// source chooses for what the store lacks, once.
func (a *Auto) source(ctx context.Context, missing string, v Versions, arch string) (Source, error) {
	if a.chosen != nil {
		return a.chosen, nil
	}
	err := a.upstream.reachable(ctx)
	_, noGo := exec.LookPath("go")
	switch {
	case err == nil:
		a.chosen = a.upstream
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case noGo == nil && !a.pinned:
		a.chosen = a.modules
	default:
		return nil, NoSourceError{missing, a.bundle(v, arch), err}
	}
	return a.chosen, nil
}

// reachable says why the downloads cannot be reached.
func (u *Upstream) reachable(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, reachTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, u.bases["dl.k8s.io"]+"/", nil)
	if err != nil {
		return err
	}
	resp, err := u.client.Do(req)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// programs returns the named programs of a component, from any source and all of
// one build; nil when the store has no such build.
func (s *Store) programs(component, version, arch string, names []string) (map[string]File, error) {
	return s.newest(names, func(e Entry) bool {
		return e.Component == component && strings.TrimPrefix(e.Version, "v") == version && e.Arch == arch
	})
}

// images returns the tar that holds exactly the images of these names.
func (s *Store) images(tar, arch string, refs []string) (map[string]File, error) {
	return s.newest([]string{tar}, func(e Entry) bool {
		r, there := e.Files[tar]
		return there && e.Arch == arch && slices.Equal(slices.Sorted(maps.Keys(r.Images)), slices.Sorted(slices.Values(refs)))
	})
}

// newest returns the named files of the latest entry that serves and has them all.
func (s *Store) newest(names []string, serves func(Entry) bool) (map[string]File, error) {
	paths, err := filepath.Glob(filepath.Join(s.root, "index", "*.json"))
	if err != nil {
		return nil, fmt.Errorf("list index: %w", err)
	}
	defer s.verified.save()
	var best map[string]File
	var made time.Time
	for _, p := range paths {
		e, err := s.readEntry(p)
		if err != nil || !serves(e) {
			continue // one that cannot be read is as good as none
		}
		have, at := map[string]File{}, time.Time{}
		for _, n := range names {
			r, ok := e.Files[n]
			if f := s.file(n, r); ok && s.present(f) && s.verified.holds(f) {
				have[n], at = f, r.Made
			}
		}
		if len(have) == len(names) && (best == nil || at.After(made)) {
			best, made = have, at
		}
	}
	return best, nil
}

// Missing names the components and images that the store lacks for amd64 hosts,
// with their versions. It reads the index only.
func (s *Store) Missing(v Versions, of Needed) (list []string, err error) {
	order, groups, err := byComponent(of.Programs)
	if err != nil {
		return nil, err
	}
	for _, c := range order {
		version := strings.TrimPrefix(v.Get(c), "v")
		if have, err := s.programs(c, version, "amd64", groups[c]); err != nil {
			return nil, err
		} else if have == nil {
			list = append(list, c+" "+version)
		}
	}
	imgs, err := imagesOf(of.Images)
	if err != nil {
		return nil, err
	}
	var refs []string
	for _, img := range imgs {
		refs = append(refs, img.ref(v))
	}
	tar, err := tarName(of.Set)
	if err != nil {
		return nil, err
	}
	if have, err := s.images(tar, "amd64", refs); err != nil {
		return nil, err
	} else if have == nil {
		list = append(list, refs...)
	}
	return list, nil
}
