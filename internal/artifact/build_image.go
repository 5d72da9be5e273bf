package artifact

import (
	"archive/tar"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// buildImage makes an image of programs already in the store, and of files of
// this machine. Layers are written to dir.
func buildImage(img image, programs []File, system []systemFile, arch, dir string) (v1.Image, error) {
	var layers []mutate.Addendum
	add := func(name, by string, write func(*tar.Writer) error) error {
		l, err := newFileLayer(filepath.Join(dir, name), write)
		if err != nil {
			return fmt.Errorf("write layer of %s: %w", img.name, err)
		}
		layers = append(layers, mutate.Addendum{Layer: l, History: v1.History{CreatedBy: by, Created: v1.Time{Time: epoch}}})
		return nil
	}
	if !img.bare {
		if err := add("base", "quorate: base", writeBase); err != nil {
			return nil, err
		}
	}
	if len(system) > 0 {
		err := add("system", "quorate: programs of the distribution", func(w *tar.Writer) error { return writeSystem(w, system) })
		if err != nil {
			return nil, err
		}
	}
	err := add(img.name, "quorate: "+img.name, func(w *tar.Writer) error {
		for d := range parents(img.dir) {
			if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: d, Mode: 0o755, ModTime: epoch}); err != nil {
				return err
			}
		}
		for _, f := range programs {
			if err := copyIn(w, path.Join(img.dir, f.Name)[1:], f); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	out := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	out, err = mutate.Append(out, layers...)
	if err != nil {
		return nil, fmt.Errorf("build image %s: %w", img.name, err)
	}
	config, err := out.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("build image %s: %w", img.name, err)
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Created = "linux", arch, v1.Time{Time: epoch}
	config.Config = v1.Config{
		Env:        []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/"},
		Entrypoint: []string{path.Join(img.dir, img.programs[0])},
		User:       img.user,
		WorkingDir: "/",
	}
	return mutate.ConfigFile(out, config)
}

// parents yields the folders of dir from the top: "usr/", "usr/local/", ….
func parents(dir string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for i := 1; i < len(dir); i++ {
			if dir[i] == '/' && !yield(dir[1:i+1]) {
				return
			}
		}
	}
}

// writeBase writes what programs in an otherwise empty image expect.
func writeBase(w *tar.Writer) error {
	for _, h := range []tar.Header{
		{Typeflag: tar.TypeDir, Name: "etc/", Mode: 0o755},
		{Typeflag: tar.TypeDir, Name: "etc/ssl/", Mode: 0o755},
		{Typeflag: tar.TypeDir, Name: "etc/ssl/certs/", Mode: 0o755},
		{Typeflag: tar.TypeDir, Name: "tmp/", Mode: 0o1777},
	} {
		h.ModTime = epoch
		if err := w.WriteHeader(&h); err != nil {
			return err
		}
	}
	for _, f := range [][2]string{
		{"etc/passwd", "root:x:0:0:root:/root:/sbin/nologin\nnobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin\n"},
		{"etc/group", "root:x:0:\nnogroup:x:65534:\n"},
		{"etc/nsswitch.conf", "hosts: files dns\n"},
	} {
		if err := w.WriteHeader(&tar.Header{Name: f[0], Mode: 0o644, Size: int64(len(f[1])), ModTime: epoch}); err != nil {
			return err
		}
		if _, err := io.WriteString(w, f[1]); err != nil {
			return err
		}
	}
	return nil
}

// copyIn writes a stored program into a tar.
func copyIn(w *tar.Writer, name string, f File) error {
	return copyFrom(w, name, f.Path, f.Size)
}

// copyFrom writes a file of this machine into a tar, as a program.
func copyFrom(w *tar.Writer, name, from string, size int64) error {
	r, err := os.Open(from)
	if err != nil {
		return err
	}
	defer r.Close()
	if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: size, ModTime: epoch}); err != nil {
		return err
	}
	_, err = io.Copy(w, r)
	return err
}
