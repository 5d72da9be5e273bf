package artifact

import (
	"archive/tar"
	"errors"
	"io"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"
)

func TestLibraries(t *testing.T) {
	got, err := libraries("\tlinux-vdso.so.1 (0x00007f66c02ac000)\n\tlibnftables.so.1 => /lib/x86_64-linux-gnu/libnftables.so.1 (0x0)\n" +
		"\t/lib64/ld-linux-x86-64.so.2 (0x00007f66c02ae000)\n")
	if err != nil || !slices.Equal(got, []string{"/lib/x86_64-linux-gnu/libnftables.so.1", "/lib64/ld-linux-x86-64.so.2"}) {
		t.Errorf("it reads %q, %v", got, err)
	}
	if _, err := libraries("\tlibx.so.1 => not found\n"); err == nil || !strings.Contains(err.Error(), "libx.so.1 => not found") {
		t.Errorf("a library that is missing: %v", err)
	}
}

// An image with a program of this machine holds it, its loader and its libraries.
func TestImageWithTools(t *testing.T) {
	if _, err := lookTool("ls"); err != nil {
		t.Skip("no ls")
	}
	if _, err := exec.LookPath("ldd"); err != nil {
		t.Skip("no ldd")
	}
	files, err := linked(t.Context(), []tool{{"ls", "coreutils"}}, runtime.GOARCH)
	if err != nil {
		t.Fatal(err)
	}
	of := image{name: "kube-proxy", programs: []string{"ls"}, dir: "/usr/local/bin/"}
	img, err := buildImage(of, nil, files, runtime.GOARCH, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, l := range layers {
		r, err := l.Uncompressed()
		if err != nil {
			t.Fatal(err)
		}
		for in := tar.NewReader(r); ; {
			h, err := in.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, h.Name)
		}
		r.Close()
	}
	if !slices.Contains(names, "usr/sbin/ls") || !slices.Contains(names, "usr/sbin/") ||
		!slices.ContainsFunc(names, func(n string) bool { return strings.Contains(n, "libc.so") }) {
		t.Errorf("it holds %q", names)
	}
}
