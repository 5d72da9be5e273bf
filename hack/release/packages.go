package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goreleaser/nfpm/v2"
	_ "github.com/goreleaser/nfpm/v2/deb" // registers the format
	"github.com/goreleaser/nfpm/v2/files"
	_ "github.com/goreleaser/nfpm/v2/rpm" // registers the format
)

// packages writes a deb and an rpm for each architecture.
func (b *build) packages() error {
	for _, format := range []string{"deb", "rpm"} {
		for _, arch := range []string{"amd64", "arm64"} {
			if err := b.packFor(format, arch); err != nil {
				return fmt.Errorf("%s for %s: %w", format, arch, err)
			}
		}
	}
	return nil
}

func (b *build) packFor(format, arch string) error {
	contents, err := b.contents(format, arch)
	if err != nil {
		return err
	}
	version, pre, _ := strings.Cut(strings.TrimPrefix(b.version, "v"), "-")
	info := nfpm.WithDefaults(&nfpm.Info{
		Name: "quorate", Arch: arch, Platform: "linux", Section: "admin", Priority: "optional",
		// No hyphens: in both formats they separate the package's own release.
		Version: version, Prerelease: strings.ReplaceAll(pre, "-", "."), Release: "1", MTime: b.time,
		Maintainer: "The quorate maintainers", License: "Apache-2.0",
		Description: "highly available Kubernetes control planes over SSH\n" +
			"quorate creates, changes and recovers highly available Kubernetes control planes on your own machines, " +
			"from one file and over SSH. Every plan is judged before anything is touched.",
	})
	info.Contents, info.RPM.BuildHost = contents, "release"
	packager, err := nfpm.Get(format)
	if err != nil {
		return err
	}
	name := packager.ConventionalFileName(info)
	fmt.Println("package", name)
	f, err := os.Create(filepath.Join(b.dist, name))
	if err != nil {
		return err
	}
	defer f.Close()
	if err := packager.Package(info, f); err != nil {
		return err
	}
	return f.Close()
}

// contents are the files of a package.
func (b *build) contents(format, arch string) (files.Contents, error) {
	var all files.Contents
	add := func(p placed) {
		all = append(all, &files.Content{Source: p.from, Destination: p.to, FileInfo: &files.ContentFileInfo{Mode: p.mode, MTime: b.time}})
	}
	for _, p := range slices.Concat(b.installed(arch), b.legal()) {
		add(p)
	}
	err := filepath.WalkDir(b.share, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(b.share, path)
		if format == "rpm" { // each family of distributions has its own folder for zsh
			name = strings.Replace(name, "zsh/vendor-completions", "zsh/site-functions", 1)
		}
		add(placed{path, "/usr/share/" + name, 0o644})
		return err
	})
	return all, err
}
