package artifact

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// mirror is a server with the shape of the projects' release servers.
type mirror struct {
	*httptest.Server
	mu     sync.Mutex
	files  map[string][]byte
	asked  map[string]int    // how often each path was asked for
	ranges map[string]string // the last Range header of each path
	cutAt  map[string]int    // cut the first answer for a path after so many bytes
}

func newMirror(t *testing.T) *mirror { return startMirror(t, false) }

func startMirror(t *testing.T, plain bool) *mirror {
	m := &mirror{files: map[string][]byte{}, asked: map[string]int{}, ranges: map[string]string{}, cutAt: map[string]int{}}
	images := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	m.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/v2") {
			images.ServeHTTP(w, r)
			return
		}
		m.mu.Lock()
		data, ok := m.files[r.URL.Path]
		m.asked[r.URL.Path]++
		m.ranges[r.URL.Path] = r.Header.Get("Range")
		cut := m.cutAt[r.URL.Path]
		delete(m.cutAt, r.URL.Path)
		m.mu.Unlock()
		switch {
		case !ok:
			http.NotFound(w, r)
		case cut > 0:
			w.Header().Set("Content-Length", strconv.Itoa(len(data)))
			w.Write(data[:cut])
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		default:
			var at int
			if n, _ := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &at); n == 1 && at >= len(data) {
				http.Error(w, "range", http.StatusRequestedRangeNotSatisfiable)
			} else if n == 1 {
				w.Header().Set("Content-Length", strconv.Itoa(len(data)-at))
				w.WriteHeader(http.StatusPartialContent)
				w.Write(data[at:])
			} else {
				w.Write(data)
			}
		}
	}))
	m.Config.ErrorLog = log.New(io.Discard, "", 0)
	if plain {
		m.Start()
	} else {
		m.StartTLS()
	}
	t.Cleanup(m.Close)
	return m
}

func sumOf(data []byte) string { return fmt.Sprintf("%x", sha256.Sum256(data)) }

// archive makes a tar.gz of files given as name, content, name, content, ….
func archive(t *testing.T, files ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for i := 0; i < len(files); i += 2 {
		if err := w.WriteHeader(&tar.Header{Name: files[i], Mode: 0o755, Size: int64(len(files[i+1]))}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, files[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// upstreamAt makes a source whose every host is m, the projects' own too.
func upstreamAt(t *testing.T, s *Store, m *mirror) *Upstream {
	t.Helper()
	return mirrored(t, s, m, m, nil)
}

// mirrored makes a source whose every host is mirrored by m; the projects
// themselves are at origin.
func mirrored(t *testing.T, s *Store, m, origin *mirror, pinned map[string]string) *Upstream {
	t.Helper()
	u, err := NewUpstream(s, Trust{BaseURLs: map[string]string{"dl.k8s.io": m.URL + "/dl", "github.com": m.URL + "/gh/",
		"registry.k8s.io": m.URL + "/mirrored"}, Checksums: pinned})
	if err != nil {
		t.Fatal(err)
	}
	u.pause = 0
	u.origins = map[string]string{"dl.k8s.io": origin.URL + "/dl", "github.com": origin.URL + "/gh", "registry.k8s.io": origin.URL +
		"/mirrored"}
	roots := x509.NewCertPool()
	for _, one := range []*mirror{m, origin} {
		if one.Certificate() != nil {
			roots.AddCert(one.Certificate())
		}
	}
	safe := u.client.Transport.(secured)
	safe.RoundTripper.(*http.Transport).TLSClientConfig = &tls.Config{RootCAs: roots}
	return u
}

const (
	kubeletPath = "/dl/release/v1.36.3/bin/linux/amd64/kubelet"
	etcdPath    = "/gh/etcd-io/etcd/releases/download/v3.6.8/etcd-v3.6.8-linux-amd64.tar.gz"
	etcdSums    = "/gh/etcd-io/etcd/releases/download/v3.6.8/SHA256SUMS"
)

func resolved(t *testing.T) Versions {
	t.Helper()
	v, err := Resolve(DefaultKubernetes, nil)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestUpstreamFetch(t *testing.T) {
	m := newMirror(t)
	kubelet := []byte(strings.Repeat("kubelet", 1000))
	m.files[kubeletPath], m.files[kubeletPath+".sha256"] = kubelet, []byte(sumOf(kubelet))
	etcd := archive(t, "etcd-v3.6.8-linux-amd64/README.md", "x", "etcd-v3.6.8-linux-amd64/etcd", "etcd!",
		"etcd-v3.6.8-linux-amd64/etcdctl", "ctl!", "etcd-v3.6.8-linux-amd64/etcdutl", "utl!")
	m.files[etcdPath] = etcd
	m.files[etcdSums] = []byte(strings.Repeat("0", 64) + "  etcd-v3.6.8-linux-arm64.tar.gz\n" + sumOf(etcd) +
		"  etcd-v3.6.8-linux-amd64.tar.gz\n")
	u := upstreamAt(t, newStore(t), m)

	for _, names := range [][]string{{"etcdctl", "kubelet"}, {"kubelet", "etcd", "etcdutl", "etcdctl"}} {
		files, err := u.Fetch(t.Context(), resolved(t), "amd64", names, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i, f := range files {
			if f.Name != names[i] || f.Mode != 0o755 || !u.store.present(f) {
				t.Errorf("file %d is %+v, want %s", i, f, names[i])
			}
		}
	}
	if m.asked[kubeletPath] != 1 || m.asked[etcdPath] != 1 {
		t.Errorf("asked %v; want each file once", m.asked)
	}
	if left, err := os.ReadDir(u.store.root + "/download"); err != nil || len(left) != 0 {
		t.Errorf("left in download: %v %v", left, err)
	}
}

func TestUpstreamRefusesAWrongChecksum(t *testing.T) {
	m := newMirror(t)
	m.files[kubeletPath], m.files[kubeletPath+".sha256"] = []byte("evil"), []byte(sumOf([]byte("good")))
	u := upstreamAt(t, newStore(t), m)
	_, err := u.Fetch(t.Context(), resolved(t), "amd64", []string{"kubelet"}, nil)
	if err == nil || !strings.Contains(err.Error(), "published is "+sumOf([]byte("good"))) {
		t.Errorf("error %v, want both digests", err)
	}
	if n, _, err := u.store.Verify(t.Context()); n != 0 || err != nil {
		t.Errorf("%d files in the store, %v; want none", n, err)
	}
}

func TestUpstreamResumes(t *testing.T) {
	m := newMirror(t)
	data := []byte(strings.Repeat("0123456789", 200_000))
	m.files[kubeletPath], m.files[kubeletPath+".sha256"] = data, []byte(sumOf(data)+"  kubelet\n")
	m.cutAt[kubeletPath] = 1_000_000
	s := newStore(t)
	if _, err := upstreamAt(t, s, m).Fetch(t.Context(), resolved(t), "amd64", []string{"kubelet"}, nil); err != nil {
		t.Fatal(err)
	}
	if m.asked[kubeletPath] != 2 || !strings.HasPrefix(m.ranges[kubeletPath], "bytes=") {
		t.Errorf("asked %d times, last for %q; want the rest only", m.asked[kubeletPath], m.ranges[kubeletPath])
	}
}

// What an earlier run left is taken up, and thrown away when it is rubbish.
func TestUpstreamResumesAcrossRuns(t *testing.T) {
	for left, want := range map[string]string{"012345": "bytes=6-", "rubbish": "", "0123456789": "bytes=10-"} {
		m := newMirror(t)
		data := []byte("0123456789")
		m.files[kubeletPath], m.files[kubeletPath+".sha256"] = data, []byte(sumOf(data))
		s := newStore(t)
		if err := os.WriteFile(s.root+"/download/"+sumOf(data)+".part", []byte(left), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := upstreamAt(t, s, m).Fetch(t.Context(), resolved(t), "amd64", []string{"kubelet"}, nil); err != nil {
			t.Fatal(err)
		}
		if m.ranges[kubeletPath] != want {
			t.Errorf("%q: the last request was for %q, want %q", left, m.ranges[kubeletPath], want)
		}
	}
}

func TestUpstreamErrors(t *testing.T) {
	m := newMirror(t)
	m.files[etcdPath], m.files[etcdSums] = []byte("x"), []byte("no digest here\n")
	runc := "/gh/opencontainers/runc/releases/download/v1.3.4/runc"
	m.files[runc+".sha256sum"] = []byte(strings.Repeat("a", 64) + "  runc.amd64\n")
	u := upstreamAt(t, newStore(t), m)
	for name, want := range map[string]string{
		"kubelet":        kubeletPath + ".sha256: the server says 404 Not Found; check the version",
		"etcd":           etcdSums + " holds no SHA-256 of etcd-v3.6.8-linux-amd64.tar.gz",
		"runc":           runc + ".amd64: the server says 404 Not Found",
		"metrics-server": "not published as a file",
	} {
		if _, err := u.Fetch(t.Context(), resolved(t), "amd64", []string{name}, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want …%s…", name, err, want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := u.Fetch(ctx, resolved(t), "amd64", []string{"runc"}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	for host, url := range map[string]string{"gitlab.com": "https://x", "github.com": "ftp://x"} {
		if _, err := NewUpstream(u.store, Trust{BaseURLs: map[string]string{host: url}}); err == nil ||
			!strings.Contains(err.Error(), "artifacts.baseURLs") {
			t.Errorf("base URL %s of %s: %v", url, host, err)
		}
	}
}

func TestUpstreamImages(t *testing.T) {
	m := newMirror(t)
	s := newStore(t)
	u := upstreamAt(t, s, m)
	program, _ := makeThing(t, s, "program")
	img, err := buildImage(image{name: "pause", programs: []string{"thing"}, dir: "/", bare: true}, []File{program}, nil, "amd64", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	ref, err := name.ParseReference(strings.TrimPrefix(m.URL, "https://") + "/mirrored/pause:3.10.2")
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, img, remote.WithTransport(u.client.Transport)); err != nil {
		t.Fatal(err)
	}
	f, err := u.Images(t.Context(), resolved(t), "amd64", "tests", []string{"pause"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	got := readLayout(t, f.Path)["registry.k8s.io/pause:3.10.2"]
	if got == nil {
		t.Fatal("no pause image under its upstream name")
	}
	a, errA := img.Digest()
	b, errB := got.Digest()
	if a != b || errors.Join(errA, errB) != nil {
		t.Errorf("digest %s, want %s as published", b, a)
	}
	if _, err := u.Images(t.Context(), resolved(t), "amd64", "more", []string{"coredns"}, nil); err == nil ||
		!strings.Contains(err.Error(), "check the version") {
		t.Errorf("an image that is not there: %v", err)
	}
}
