// Command release builds everything that a release of quorate has, from a clean
// git tree and with the same bytes each time. It publishes and signs nothing.
//
//	release -repo ../.. -out ../../dist
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("release: ")
	repo := flag.String("repo", "../..", "the `folder` of quorate's repository")
	out := flag.String("out", "../../dist", "the `folder` to write to; what is in it is removed")
	flag.Parse()
	if err := release(*repo, *out); err != nil {
		log.Fatal(err)
	}
}

// release builds into a folder beside out, which it replaces when all is there.
func release(repo, out string) error {
	src, err := open(repo)
	if err != nil {
		return err
	}
	if out, err = filepath.Abs(out); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return err
	}
	work, err := os.MkdirTemp(filepath.Dir(out), ".release-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	r := build{source: src, dist: filepath.Join(work, "dist"), share: filepath.Join(work, "share")}
	if err := os.Mkdir(r.dist, 0o755); err != nil {
		return err
	}
	fmt.Printf("quorate %s (commit %.12s, %s)\n", src.version, src.commit, src.date())
	for _, step := range []func() error{r.binaries, r.dependencies, r.licenses, r.sbom, r.docs, r.packages, r.image, r.checksums} {
		if err := step(); err != nil {
			return err
		}
	}
	if err := os.RemoveAll(out); err != nil {
		return err
	}
	if err := os.Rename(r.dist, out); err != nil {
		return err
	}
	fmt.Printf("wrote %s\n", out)
	return nil
}
