package artifact

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// readLayout unpacks a layout's tar, checks every digest in it and returns its
// images by name.
func readLayout(t *testing.T, path string) map[string]v1.Image {
	t.Helper()
	dir := t.TempDir()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for r := tar.NewReader(f); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(dir, filepath.FromSlash(h.Name))
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := writeFrom(to, r); err != nil {
			t.Fatal(err)
		}
		if sum, _, err := digest(to); err != nil || strings.HasPrefix(h.Name, "blobs/") && filepath.Base(to) != sum {
			t.Errorf("%s has the digest %s, %v", h.Name, sum, err)
		}
	}
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	// Fast, since the full check takes every layer for a gzip file.
	if err := validate.Index(index, validate.Fast); err != nil {
		t.Error(err)
	}
	m, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]v1.Image{}
	for _, d := range m.Manifests {
		img, err := index.Image(d.Digest)
		if err != nil {
			t.Fatal(err)
		}
		out[d.Annotations["io.containerd.image.name"]] = img
	}
	return out
}

func TestLayoutIsDeterministicAndReadsBack(t *testing.T) {
	s := newStore(t)
	program, _ := makeThing(t, s, "#!/bin/sh\n")
	write := func() []byte {
		dir := t.TempDir()
		var list []named
		for _, img := range []image{
			{name: "one", programs: []string{"thing"}, dir: "/", user: "65535", bare: true},
			{name: "two", programs: []string{"thing"}, dir: "/usr/local/bin/"},
		} {
			built, err := buildImage(img, []File{program}, nil, "arm64", dir)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, named{ref: "example.com/" + img.name + ":1", img: built})
		}
		var b bytes.Buffer
		if err := writeLayout(&b, list, "arm64"); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	first, second := write(), write()
	if !bytes.Equal(first, second) {
		t.Error("two layouts of the same images differ")
	}
	path := filepath.Join(t.TempDir(), "x.tar")
	if err := os.WriteFile(path, first, 0o644); err != nil {
		t.Fatal(err)
	}
	got := readLayout(t, path)
	two := got["example.com/two:1"]
	if len(got) != 2 || two == nil {
		t.Fatalf("images %v", got)
	}
	config, err := two.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if config.Architecture != "arm64" || len(config.Config.Entrypoint) != 1 || config.Config.Entrypoint[0] != "/usr/local/bin/thing" ||
		len(config.RootFS.DiffIDs) != 2 {
		t.Errorf("config %+v", config)
	}
}
