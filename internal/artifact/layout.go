package artifact

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"path"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// epoch is the time of everything in images built here, so that the same
// content has the same digest.
var epoch = time.Unix(0, 0).UTC()

// named is an image with the name hosts shall know it by.
type named struct {
	ref string
	img v1.Image
}

// writeLayout writes images as one OCI layout in a tar, which
// `ctr images import` takes. The same images give the same bytes.
func writeLayout(out io.Writer, images []named, arch string) error {
	t := &layoutTar{w: tar.NewWriter(out), seen: map[string]bool{}}
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	t.put("oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`))
	for _, n := range images {
		if err := t.image(n.img); err != nil {
			return fmt.Errorf("write image %s: %w", n.ref, err)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: n.img, Descriptor: v1.Descriptor{
			Platform:    &v1.Platform{OS: "linux", Architecture: arch},
			Annotations: map[string]string{"io.containerd.image.name": n.ref},
		}})
	}
	raw, err := index.RawManifest()
	if err != nil {
		return fmt.Errorf("write image index: %w", err)
	}
	t.put("index.json", raw)
	if t.err != nil {
		return t.err
	}
	return t.w.Close()
}

// layoutTar writes each blob of a layout once.
type layoutTar struct {
	w    *tar.Writer
	seen map[string]bool
	err  error
}

// image writes an image's layers, configuration and manifest.
func (t *layoutTar) image(img v1.Image) error {
	layers, err := img.Layers()
	if err != nil {
		return err
	}
	for _, l := range layers {
		if err := t.layer(l); err != nil {
			return err
		}
	}
	config, err := img.RawConfigFile()
	if err != nil {
		return err
	}
	configName, err := img.ConfigName()
	if err != nil {
		return err
	}
	t.put(blobName(configName), config)
	manifest, err := img.RawManifest()
	if err != nil {
		return err
	}
	digest, err := img.Digest()
	if err != nil {
		return err
	}
	t.put(blobName(digest), manifest)
	return t.err
}

// layer writes one layer as it is: uncompressed when built here, as published
// when it came from a registry.
func (t *layoutTar) layer(l v1.Layer) error {
	digest, err := l.Digest()
	if err != nil {
		return err
	}
	size, err := l.Size()
	if err != nil {
		return err
	}
	if t.seen[blobName(digest)] {
		return nil
	}
	r, err := l.Compressed()
	if err != nil {
		return err
	}
	defer r.Close()
	t.stream(blobName(digest), size, r)
	return t.err
}

// put writes one small file.
func (t *layoutTar) put(name string, data []byte) {
	t.stream(name, int64(len(data)), bytes.NewReader(data))
}

// stream writes one file unless it was written before; the first error stays.
func (t *layoutTar) stream(name string, size int64, r io.Reader) {
	if t.err != nil || t.seen[name] {
		return
	}
	t.seen[name] = true
	if t.err = t.w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: size, ModTime: epoch, Format: tar.FormatUSTAR}); t.err == nil {
		_, t.err = io.Copy(t.w, r)
	}
}

// blobName is where a layout keeps a blob.
func blobName(h v1.Hash) string { return path.Join("blobs", h.Algorithm, h.Hex) }
