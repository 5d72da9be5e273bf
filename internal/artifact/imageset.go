package artifact

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// imageFormat is part of an image set's key: raise it when images of the same
// programs come out differently.
const imageFormat = 1

// Images builds the programs of the named images and packs them.
func (m *Modules) Images(ctx context.Context, v Versions, arch, set string, names []string, progress func(Event)) (File, error) {
	imgs, err := imagesOf(names)
	if err != nil {
		return File{}, err
	}
	var programs []string
	for _, img := range imgs {
		if len(img.programs) == 0 {
			return File{}, fmt.Errorf("image %s cannot be built from Go modules; set artifacts.source: upstream to take the project's own",
				img.ref(v))
		}
		programs = append(programs, img.programs...)
	}
	files, err := m.Fetch(ctx, v, arch, programs, progress)
	if err != nil {
		return File{}, err
	}
	parts, tools := map[string][]File{}, map[string][]systemFile{}
	recipe := fmt.Appendf(nil, "%d\n", imageFormat)
	next := files
	for _, img := range imgs {
		parts[img.name], next = next[:len(img.programs)], next[len(img.programs):]
		recipe = fmt.Appendf(recipe, "%s %s %q %t", img.ref(v), img.dir, img.user, img.bare)
		for _, f := range parts[img.name] {
			recipe = fmt.Appendf(recipe, " %s:%s", f.Name, f.SHA256)
		}
		if tools[img.name], err = linked(ctx, img.tools, arch); err != nil {
			return File{}, fmt.Errorf("image %s: %w", img.ref(v), err)
		}
		for _, f := range tools[img.name] {
			recipe = fmt.Appendf(recipe, " %s:%s", f.at, f.sum)
		}
		recipe = append(recipe, '\n')
	}
	key := imageKey("modules", set, arch, v, recipe)
	return m.store.imageSet(ctx, key, set, imgs, v, progress, func(img image, dir string) (v1.Image, error) {
		return buildImage(img, parts[img.name], tools[img.name], arch, dir)
	})
}

// imageKey names what an image set is made of.
func imageKey(source, set, arch string, v Versions, recipe []byte) Key {
	sum := sha256.Sum256(recipe)
	return Key{Source: source, Component: "images-" + set, Version: v.Kubernetes, Arch: arch, Recipe: hex.EncodeToString(sum[:])}
}

// imageSet returns the stored tar of key, or makes it of the images that get
// brings; dir is for get's files.
func (s *Store) imageSet(ctx context.Context, key Key, set string, imgs []image, v Versions, progress func(Event),
	get func(img image, dir string) (v1.Image, error)) (File, error) {
	name, err := tarName(set)
	if err != nil {
		return File{}, err
	}
	tell := teller(key.Component, progress)
	names := []string{name}
	if have, missing, err := s.lookup(key, names, tell); err != nil || len(missing) == 0 {
		tell("cached", name, 1, 1)
		return have[name], err
	}
	w, err := s.begin(ctx, key.lockName(), func() { tell("wait", "another quorate is making it", 0, 0) })
	if err != nil {
		return File{}, err
	}
	defer w.end()
	if have, missing, err := s.lookup(key, names, tell); err != nil || len(missing) == 0 {
		tell("done", name, 1, 1)
		return have[name], err
	}
	start := time.Now()
	var list []named
	of := origin{images: map[string]string{}}
	for i, img := range imgs {
		if err := ctx.Err(); err != nil {
			return File{}, fmt.Errorf("make %s: %w", name, err)
		}
		tell("image", img.ref(v), i, len(imgs))
		got, err := get(img, w.dir)
		if err != nil {
			return File{}, err
		}
		digest, err := got.Digest()
		if err != nil {
			return File{}, fmt.Errorf("make %s: digest of %s: %w", name, img.ref(v), err)
		}
		of.images[img.ref(v)] = digest.String()
		list = append(list, named{ref: img.ref(v), img: got})
	}
	path := filepath.Join(w.dir, name)
	if err := writeTar(path, list, key.Arch); err != nil {
		return File{}, fmt.Errorf("make %s: %w", name, err)
	}
	f, err := s.add(name, path)
	if err != nil {
		return File{}, err
	}
	if err := s.record(key, time.Since(start), of, f); err != nil {
		return File{}, err
	}
	tell("done", name, 1, 1)
	return f, nil
}

func writeTar(path string, list []named, arch string) error {
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	err = writeLayout(out, list, arch)
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	return err
}
