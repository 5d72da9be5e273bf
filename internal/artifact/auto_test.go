package artifact

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// stocked is a store that holds a kubectl and an image set, as some source made them.
func stocked(t *testing.T) (*Store, Versions) {
	t.Helper()
	s, err := OpenStore(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	v, err := Resolve(DefaultKubernetes, nil)
	if err != nil {
		t.Fatal(err)
	}
	add := func(key Key, name, content string, of origin) {
		t.Helper()
		from := filepath.Join(s.root, "tmp", name)
		if err := os.WriteFile(from, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		f, err := s.add(name, from)
		if err == nil {
			err = s.record(key, time.Second, of, f)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	plain := strings.TrimPrefix(v.Kubernetes, "v")
	add(Key{Source: "modules", Component: "kubernetes", Version: plain, Arch: "amd64", Recipe: "r"}, "kubectl", "program", origin{})
	refs := map[string]string{}
	for _, name := range SystemdImages(false) {
		ref, err := ImageRef(v, name)
		if err != nil {
			t.Fatal(err)
		}
		refs[ref] = "sha256:x"
	}
	add(Key{Source: "upstream", Component: "images-systemd", Version: v.Kubernetes, Arch: "amd64", Recipe: "r"}, "images-systemd.tar",
		"images", origin{images: refs})
	return s, v
}

// auto is an Auto whose downloads are at base, without Go.
func auto(t *testing.T, s *Store, beside, base string, trust Trust) *Auto {
	t.Helper()
	t.Setenv("PATH", t.TempDir())
	src, err := NewSource("auto", s, trust, beside)
	if err != nil {
		t.Fatal(err)
	}
	a := src.(*Auto)
	a.upstream.bases["dl.k8s.io"] = base
	return a
}

const nowhere = "http://127.0.0.1:1"

func TestAutoTakesWhatTheStoreHas(t *testing.T) {
	s, v := stocked(t)
	a := auto(t, s, "", nowhere, Trust{})
	files, err := a.Fetch(t.Context(), v, "amd64", []string{"kubectl"}, nil)
	if err != nil || len(files) != 1 || files[0].Size != int64(len("program")) {
		t.Fatalf("%v %v", files, err)
	}
	if f, err := a.Images(t.Context(), v, "amd64", "systemd", SystemdImages(false), nil); err != nil || f.Size != int64(len("images")) {
		t.Errorf("%v %v", f, err)
	}
	// Another set of images is another tar.
	if _, err := a.Images(t.Context(), v, "amd64", "systemd", SystemdImages(true), nil); !errors.As(err, new(NoSourceError)) {
		t.Errorf("%v", err)
	}
	list, err := s.Missing(v, Needed{[]string{"kubectl", "etcd"}, "systemd", SystemdImages(false)})
	if err != nil || len(list) != 1 || list[0] != "etcd "+v.Etcd {
		t.Errorf("missing: %q %v", list, err)
	}
}

func TestAutoNamesAllWays(t *testing.T) {
	s, v := stocked(t)
	dir := t.TempDir()
	_, err := auto(t, s, dir, nowhere, Trust{}).Fetch(t.Context(), v, "amd64", []string{"etcd"}, nil)
	if !errors.As(err, new(NoSourceError)) {
		t.Fatal(err)
	}
	for _, want := range []string{"etcd " + v.Etcd, "quorate artifacts build", filepath.Join(dir, BundleName(v, "amd64")), "HTTPS_PROXY",
		"baseURLs", "go.dev/dl"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
}

func TestAutoChoosesDownloadsThatAnswer(t *testing.T) {
	s, v := stocked(t)
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	a := auto(t, s, "", server.URL, Trust{BaseURLs: map[string]string{"dl.k8s.io": server.URL}})
	if src, err := a.source(t.Context(), "etcd", v, "amd64"); err != nil || src != Source(a.upstream) {
		t.Errorf("%v %v", src, err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := auto(t, s, "", nowhere, Trust{}).source(ended, "etcd", v, "amd64"); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}

// A pinned checksum is one of a download: neither what the store holds nor what is
// built here can be compared with it.
func TestAutoPinnedIsDownloaded(t *testing.T) {
	s, v := stocked(t)
	a := auto(t, s, "", nowhere, Trust{Checksums: map[string]string{"dl.k8s.io/x": strings.Repeat("0", 64)}})
	if _, err := a.Fetch(t.Context(), v, "amd64", []string{"kubectl"}, nil); !errors.As(err, new(NoSourceError)) {
		t.Errorf("%v", err)
	}
}

func TestBundle(t *testing.T) {
	from, v := stocked(t)
	a := auto(t, from, "", nowhere, Trust{})
	files, err := a.Fetch(t.Context(), v, "amd64", []string{"kubectl"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	images, err := a.Images(t.Context(), v, "amd64", "systemd", SystemdImages(false), nil)
	if err != nil {
		t.Fatal(err)
	}
	var one, two bytes.Buffer
	if err := errors.Join(from.Export(&one, append(files, images)), from.Export(&two, []File{images, files[0]})); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(one.Bytes(), two.Bytes()) {
		t.Error("the same files make another bundle")
	}
	dir := t.TempDir()
	at := filepath.Join(dir, BundleName(v, "amd64"))
	if err := os.WriteFile(at, one.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	to, err := OpenStore(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	got, err := auto(t, to, dir, nowhere, Trust{}).Fetch(t.Context(), v, "amd64", []string{"kubectl"}, nil)
	if err != nil || got[0].SHA256 != files[0].SHA256 {
		t.Fatalf("%v %v", got, err)
	}
	// A file that is not what its name says is refused.
	bad := bytes.Replace(one.Bytes(), []byte("program"), []byte("progrXm"), 1)
	if err := os.WriteFile(at, bad, 0o644); err != nil {
		t.Fatal(err)
	}
	empty, err := OpenStore(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	_, err = auto(t, empty, dir, nowhere, Trust{}).Fetch(t.Context(), v, "amd64", []string{"kubectl"}, nil)
	if err == nil || !strings.Contains(err.Error(), "kubectl is damaged") {
		t.Errorf("%v", err)
	}
	if list, _ := empty.List(); len(list) > 0 {
		t.Errorf("a damaged bundle was taken: %v", list)
	}
}

// What quorate brings itself is not looked for at the projects.
func TestAutoBuildsItsOwn(t *testing.T) {
	s, v := stocked(t)
	if _, err := auto(t, s, "", nowhere, Trust{}).Fetch(t.Context(), v, "amd64", []string{"etcd-gate"}, nil); !errors.Is(err, errNoGo) {
		t.Errorf("%v", err)
	}
}
