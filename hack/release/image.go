package main

import (
	"archive/tar"
	"bytes"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// imageUser runs in the container unless another is asked for. Its home is the
// working folder, so that one volume has file, keys, journal and artefacts.
const imageUser, imageHome = 65532, "/quorate"

// image writes a container image for both architectures, as an OCI layout in a
// tar archive. It holds the programs, their licences and Mozilla's CA certificates.
func (b *build) image() error {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, arch := range []string{"amd64", "arm64"} {
		img, err := b.imageFor(arch)
		if err != nil {
			return fmt.Errorf("image for %s: %w", arch, err)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{
			Platform: &v1.Platform{OS: "linux", Architecture: arch}}})
	}
	named := mutate.AppendManifests(mutate.IndexMediaType(empty.Index, types.OCIImageIndex), mutate.IndexAddendum{Add: index,
		Descriptor: v1.Descriptor{Annotations: map[string]string{"org.opencontainers.image.ref.name": b.version,
			"io.containerd.image.name": "quorate.dev/quorate:" + b.version}}})
	dir, err := os.MkdirTemp(filepath.Dir(b.dist), "image-*")
	if err != nil {
		return err
	}
	if _, err := layout.Write(dir, named); err != nil {
		return err
	}
	fmt.Println("image quorate-image.tar")
	return b.archive("quorate-image.tar", dir)
}

func (b *build) imageFor(arch string) (v1.Image, error) {
	files, err := b.imageFiles(arch)
	if err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(files)), nil },
		tarball.WithMediaType(types.OCILayer))
	if err != nil {
		return nil, err
	}
	img, err := mutate.AppendLayers(mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON), layer)
	if err != nil {
		return nil, err
	}
	config, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Created = "linux", arch, v1.Time{Time: b.time}
	config.History = []v1.History{{Created: config.Created, CreatedBy: "make release"}}
	config.Config = v1.Config{
		Entrypoint: []string{"/usr/bin/quorate"}, User: fmt.Sprintf("%d:%[1]d", imageUser), WorkingDir: imageHome,
		Env: []string{"PATH=/usr/bin", "HOME=" + imageHome},
		Labels: map[string]string{"org.opencontainers.image.title": "quorate", "org.opencontainers.image.version": b.version,
			"org.opencontainers.image.revision": b.commit, "org.opencontainers.image.licenses": "Apache-2.0"},
	}
	return mutate.ConfigFile(img, config)
}

// entry is a file of the image, or a folder if its name ends in a slash.
type entry struct {
	name string
	mode int64
	text []byte
}

// imageFiles are the image's only layer, as a tar archive.
func (b *build) imageFiles(arch string) ([]byte, error) {
	entries := []entry{
		{"tmp/", 0o1777, nil},
		{strings.TrimPrefix(imageHome, "/") + "/", 0o1777, nil}, // any user may be asked for
		{"etc/passwd", 0o644, fmt.Appendf(nil, "quorate:x:%d:%[1]d:quorate:%s:/sbin/nologin\n", imageUser, imageHome)},
		{"etc/ssl/certs/ca-certificates.crt", 0o644, roots()},
	}
	for _, c := range slices.Concat(b.installed(arch), b.legal()) {
		text, err := os.ReadFile(c.from)
		if err != nil {
			return nil, err
		}
		entries = append(entries, entry{strings.TrimPrefix(c.to, "/"), int64(c.mode), text})
	}
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, e := range entries {
		h := tar.Header{Typeflag: tar.TypeReg, Name: e.name, Mode: e.mode, Size: int64(len(e.text)), ModTime: b.time}
		if strings.HasSuffix(e.name, "/") {
			h.Typeflag = tar.TypeDir
		}
		if err := w.WriteHeader(&h); err != nil {
			return nil, err
		}
		if _, err := w.Write(e.text); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil { // writes the end
		return nil, err
	}
	return out.Bytes(), nil
}

// roots are Mozilla's CA certificates, for downloads over HTTPS.
func roots() []byte {
	var out bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint == nil { // a plain list cannot say how far the others are trusted
			_ = pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}) // a buffer takes everything
		}
	}
	return out.Bytes()
}
