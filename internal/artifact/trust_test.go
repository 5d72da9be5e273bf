package artifact

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

const kubeletAddress = "dl.k8s.io/release/v1.36.3/bin/linux/amd64/kubelet"

// A mirror that serves its own kubelet serves its own checksum beside it: only
// what the project says counts.
func TestMirrorDoesNotVouchForItself(t *testing.T) {
	evil, project := newMirror(t), newMirror(t)
	evil.files[kubeletPath], evil.files[kubeletPath+".sha256"] = []byte("evil"), []byte(sumOf([]byte("evil")))
	project.files[kubeletPath+".sha256"] = []byte(sumOf([]byte("good")))
	s := newStore(t)
	_, err := mirrored(t, s, evil, project, nil).Fetch(t.Context(), resolved(t), "amd64", []string{"kubelet"}, nil)
	if err == nil || !strings.Contains(err.Error(), "published is "+sumOf([]byte("good"))) {
		t.Errorf("%v", err)
	}
	if n, _, err := s.Verify(t.Context()); n != 0 || err != nil {
		t.Errorf("%d files in the store, %v", n, err)
	}
	// Without the project's word there is none: that of the mirror is not taken instead.
	delete(project.files, kubeletPath+".sha256")
	_, err = mirrored(t, s, evil, project, nil).Fetch(t.Context(), resolved(t), "amd64", []string{"kubelet"}, nil)
	if err == nil || !strings.Contains(err.Error(), `set artifacts.checksums["`+kubeletAddress+`"]`) {
		t.Errorf("%v", err)
	}
	if evil.asked[kubeletPath+".sha256"] > 0 {
		t.Error("the mirror was asked for a checksum")
	}
}

// Plain HTTP is for files whose checksum is known before.
func TestPlainHTTPOnlyWithPins(t *testing.T) {
	plain, project := startMirror(t, true), newMirror(t)
	good := []byte("good")
	plain.files[kubeletPath], project.files[kubeletPath+".sha256"] = good, []byte(sumOf(good))
	s := newStore(t)
	_, err := mirrored(t, s, plain, project, nil).Fetch(t.Context(), resolved(t), "amd64", []string{"kubelet"}, nil)
	var unpinned UnpinnedError
	if !errors.As(err, &unpinned) || unpinned.Address != kubeletAddress || plain.asked[kubeletPath] > 0 {
		t.Fatalf("%v; asked %v", err, plain.asked)
	}
	files, err := mirrored(t, s, plain, project, map[string]string{kubeletAddress: sumOf(good)}).Fetch(t.Context(), resolved(t), "amd64",
		[]string{"kubelet"}, nil)
	if err != nil || files[0].SHA256 != sumOf(good) || project.asked[kubeletPath+".sha256"] > 0 {
		t.Errorf("%v, %v", files, err)
	}
	if _, err := mirrored(t, s, plain, project, nil).Images(t.Context(), resolved(t), "amd64", "tests", []string{"pause"},
		nil); !errors.As(err, &unpinned) || unpinned.Address != "registry.k8s.io/pause:3.10.2" {
		t.Errorf("an image: %v", err)
	}
}

// A redirect from HTTPS to plain HTTP is not followed.
func TestNoRedirectToPlainHTTP(t *testing.T) {
	plain, project := startMirror(t, true), newMirror(t)
	plain.files["/sum"] = []byte(sumOf([]byte("evil")))
	u := mirrored(t, newStore(t), project, project, nil)
	handler := project.Config.Handler
	project.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, ".sha256") {
			http.Redirect(w, r, plain.URL+"/sum", http.StatusFound)
			return
		}
		handler.ServeHTTP(w, r)
	})
	_, err := u.Fetch(t.Context(), resolved(t), "amd64", []string{"kubelet"}, nil)
	if err == nil || !strings.Contains(err.Error(), "plain HTTP is refused") || plain.asked["/sum"] > 0 {
		t.Errorf("%v; asked %v", err, plain.asked)
	}
}

// A pin that is set later decides about what was downloaded before, also when
// only what an archive held is left.
func TestPinDecidesAboutTheStore(t *testing.T) {
	m := newMirror(t)
	old, now := archive(t, "etcd", "old", "etcdctl", "c", "etcdutl", "u"), archive(t, "etcd", "new", "etcdctl", "c", "etcdutl", "u")
	m.files[etcdPath], m.files[etcdSums] = old, []byte(sumOf(old)+"  etcd-v3.6.8-linux-amd64.tar.gz\n")
	s := newStore(t)
	if _, err := mirrored(t, s, m, m, nil).Fetch(t.Context(), resolved(t), "amd64", []string{"etcd"}, nil); err != nil {
		t.Fatal(err)
	}
	address := "github.com/etcd-io/etcd/releases/download/v3.6.8/etcd-v3.6.8-linux-amd64.tar.gz"
	fetch := func(pin string) File {
		t.Helper()
		files, err := mirrored(t, s, m, m, map[string]string{address: pin}).Fetch(t.Context(), resolved(t), "amd64", []string{"etcd"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return files[0]
	}
	if f := fetch(sumOf(old)); f.SHA256 != sumOf([]byte("old")) || m.asked[etcdPath] != 1 {
		t.Errorf("the pin of what is there: %v, asked %d times", f, m.asked[etcdPath])
	}
	m.files[etcdPath] = now
	if f := fetch(sumOf(now)); f.SHA256 != sumOf([]byte("new")) || m.asked[etcdPath] != 2 {
		t.Errorf("another pin: %v, asked %d times", f, m.asked[etcdPath])
	}
}

// A tag leads to what the project's own registry says, whatever the mirror has under it.
func TestImagesComeByDigest(t *testing.T) {
	evil, project := newMirror(t), newMirror(t)
	s := newStore(t)
	u := mirrored(t, s, evil, project, nil)
	build := func(content string) v1.Image {
		path := filepath.Join(t.TempDir(), "thing")
		if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
		f := File{Name: "thing"}
		f.Path, f.Size = path, int64(len(content))
		img, err := buildImage(image{name: "pause", programs: []string{"thing"}, dir: "/", bare: true}, []File{f}, nil, "amd64", t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		return img
	}
	push := func(m *mirror, img v1.Image) {
		ref, err := name.ParseReference(strings.TrimPrefix(m.URL, "https://") + "/mirrored/pause:3.10.2")
		if err != nil {
			t.Fatal(err)
		}
		if err := remote.Write(ref, img, remote.WithTransport(u.client.Transport)); err != nil {
			t.Fatal(err)
		}
	}
	good := build("good")
	push(evil, build("evil"))
	push(project, good)
	if _, err := u.Images(t.Context(), resolved(t), "amd64", "tests", []string{"pause"}, nil); err == nil {
		t.Error("the mirror's own image was taken")
	}
	push(evil, good)
	push(evil, build("evil")) // the tag is evil's again; the good one can still be had by its digest
	f, err := u.Images(t.Context(), resolved(t), "amd64", "tests", []string{"pause"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	want, err := good.Digest()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := readLayout(t, f.Path)["registry.k8s.io/pause:3.10.2"].Digest(); got != want || err != nil {
		t.Errorf("%s, %v; want %s", got, err, want)
	}
	listed, err := s.List()
	if err != nil || len(listed) != 1 || listed[0].Record.Images["registry.k8s.io/pause:3.10.2"] != want.String() {
		t.Errorf("the index says %+v, %v", listed, err)
	}
	// With a pin the project need not be asked.
	offline := mirrored(t, newStore(t), evil, startMirror(t, false), map[string]string{"registry.k8s.io/pause:3.10.2": want.Hex})
	if _, err := offline.Images(t.Context(), resolved(t), "amd64", "tests", []string{"pause"}, nil); err != nil {
		t.Error(err)
	}
}

// A program that was swapped in the store for one of the same size is not
// handed out, whatever its times say; it is kept, said, and made anew.
func TestSwappedProgramIsNotHandedOut(t *testing.T) {
	s := newStore(t)
	f, _ := makeThing(t, s, "good")
	long := time.Now().Add(-time.Hour)
	if err := os.Chtimes(f.Path, long, long); err != nil {
		t.Fatal(err)
	}
	time.Sleep(fresh + 100*time.Millisecond) // so that it can be remembered as read
	if _, made := makeThing(t, s, "good"); made {
		t.Fatal("a whole file was made again")
	}
	if s.verified.seen[f.Path].Size != 4 {
		t.Fatalf("not remembered: %v", s.verified.seen)
	}
	if err := os.WriteFile(f.Path, []byte("evil"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(f.Path, long, long); err != nil {
		t.Fatal(err)
	}
	again, err := OpenStore(s.root) // another process, which has only the memory on disk
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	have, missing, err := again.lookup(testKey, []string{"thing"}, func(what, text string, _, _ int) { said = append(said, what+": "+text) })
	if err != nil || len(have) != 0 || len(missing) != 1 {
		t.Fatalf("handed out %v, missing %v, %v", have, missing, err)
	}
	kept, err := filepath.Glob(filepath.Join(s.root, "damaged", "*", "thing"))
	if err != nil || len(kept) != 1 || len(said) != 1 || !strings.HasPrefix(said[0], "damaged: ") || !strings.Contains(said[0], kept[0]) {
		t.Errorf("kept %v, said %q, %v", kept, said, err)
	}
	if data, err := os.ReadFile(kept[0]); string(data) != "evil" || err != nil {
		t.Errorf("%q, %v", data, err)
	}
	if f, made := makeThing(t, again, "good"); !made || !intact(f) {
		t.Error("not made again")
	}
}

// A link in a program's place leads elsewhere tomorrow.
func TestLinkInTheStoreIsNotHandedOut(t *testing.T) {
	s := newStore(t)
	f, _ := makeThing(t, s, "good")
	elsewhere := filepath.Join(t.TempDir(), "thing")
	if err := errors.Join(os.Rename(f.Path, elsewhere), os.Symlink(elsewhere, f.Path)); err != nil {
		t.Fatal(err)
	}
	if have, _, err := s.lookup(testKey, []string{"thing"}, teller("thing", nil)); len(have) > 0 || err != nil {
		t.Errorf("%v, %v", have, err)
	}
}
