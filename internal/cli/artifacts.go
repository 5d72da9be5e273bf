package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"quorate.dev/quorate/internal/artifact"
	"quorate.dev/quorate/internal/goal"
	"quorate.dev/quorate/internal/spec"
)

// artifactsCommand is `quorate artifacts`: what clusters are made of, on this
// machine.
func artifactsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "artifacts", Example: "  quorate artifacts list",
		Short: "Build or download the programs and images of a cluster ahead of time",
		Args:  cobra.ArbitraryArgs, RunE: subcommands,
	}
	cmd.AddCommand(artifactsBuild(), artifactsBundle(), artifactsList(), artifactsVerify())
	return cmd
}

// wanted is which artefacts a command is about: those of a cluster file, or of a
// Kubernetes version.
type wanted struct {
	target       target
	kubernetes   string
	source, arch string
	test         bool
}

func (a *wanted) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVarP(&a.target.file, "file", "f", "", "take versions, source, mirrors and checksums from this cluster file")
	f.StringVar(&a.kubernetes, "kubernetes-version", artifact.DefaultKubernetes, "version of Kubernetes; the others follow from it")
	f.StringVar(&a.source, "source", "auto", "where the artefacts come from: auto | modules | upstream")
	f.StringVar(&a.arch, "arch", goal.Arch, "CPU architecture of the hosts: amd64 | arm64")
	f.BoolVar(&a.test, "test-image", false, "also pack "+artifact.TestImage+", a small web server for tests")
	cmd.MarkFlagsMutuallyExclusive("file", "kubernetes-version")
}

// get brings all of it into the store.
func (a *wanted) get(cmd *cobra.Command) (v artifact.Versions, files []artifact.File, err error) {
	ctx := cmd.Context()
	store, err := artifact.OpenStore("")
	if err != nil {
		return v, nil, err
	}
	file, kubernetes := &spec.Cluster{}, a.kubernetes
	if a.target.file != "" {
		if file, _, err = a.target.read(ctx, cmd); err != nil {
			return v, nil, err
		}
		kubernetes = file.Spec.Kubernetes.Version
		if !cmd.Flags().Changed("source") {
			a.source = file.Spec.Artifacts.Source
		}
	}
	if v, err = artifact.Resolve(kubernetes, file.Spec.Artifacts.Versions); err != nil {
		return v, nil, usageError{err}
	}
	src, err := a.target.sourceOf(file, a.source, store)
	if err != nil {
		return v, nil, err
	}
	programs, sets := a.needed(file)
	view := artifactProgress(cmd.ErrOrStderr(), v, artifact.Parts(programs, setNames(sets)...))
	defer view.close()
	progress := view.on
	if files, err = src.Fetch(ctx, v, a.arch, programs, progress); err != nil {
		return v, nil, err
	}
	for _, n := range sets {
		set, err := src.Images(ctx, v, a.arch, n.Set, n.Images, progress)
		if err != nil {
			return v, nil, err
		}
		files = append(files, set)
	}
	return v, files, nil
}

// needed is what the file's cluster needs; without a file, clusters of every flavour.
func (a *wanted) needed(file *spec.Cluster) (programs []string, sets []artifact.Needed) {
	if a.target.file != "" {
		sets = append(sets, artifact.Flavour(file.Spec.Kubernetes.Flavour, file.Spec.Addons.MetricsServer))
	} else {
		for _, flavour := range []string{"kubeadm", "systemd"} {
			sets = append(sets, artifact.Flavour(flavour, false), artifact.Flavour(flavour, true))
		}
	}
	for _, n := range sets {
		for _, p := range n.Programs {
			if !slices.Contains(programs, p) {
				programs = append(programs, p)
			}
		}
	}
	if a.test {
		last := sets[len(sets)-1]
		last.Images = append(slices.Clone(last.Images), "quorate-test")
		sets = append(sets, last)
	}
	return programs, sets
}

func setNames(sets []artifact.Needed) (out []string) {
	for _, s := range sets {
		out = append(out, s.Set)
	}
	return out
}

func artifactsBuild() *cobra.Command {
	var a wanted
	var f form
	cmd := &cobra.Command{
		Use: "build", Example: "  quorate artifacts build -f prod.yaml\n  quorate artifacts build --kubernetes-version v1.36.3 --source modules",
		Short: "Build or download everything a cluster needs into the store",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, files, err := a.get(cmd)
			if err != nil {
				return err
			}
			text, doc := "", artifactsDoc{Files: []artifactDoc{}}
			for _, f := range files {
				text += f.Path + "\n"
				doc.Files = append(doc.Files, artifactOf(f))
			}
			return f.print(cmd, text, "artifacts", doc)
		},
	}
	a.flags(cmd)
	f.flags(cmd, "")
	return cmd
}

func artifactsBundle() *cobra.Command {
	var a wanted
	var f form
	var to string
	cmd := &cobra.Command{
		Use: "bundle", Example: "  quorate artifacts bundle -f prod.yaml",
		Short: "Write everything a cluster needs to one file, for a machine without internet access",
		Long: `Bundle gets what the cluster needs, as build does, and writes it to one tar file.
Put that beside the cluster file on another machine: with source: auto quorate
finds it there under the name that this command gives it.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			v, files, err := a.get(cmd)
			if err != nil {
				return err
			}
			if to == "" {
				to = artifact.BundleName(v, a.arch)
			}
			if err := writeBundle(to, files); err != nil {
				return err
			}
			return f.print(cmd, "wrote "+to+"\n", "bundle", bundleDoc{Path: to, Files: len(files)})
		},
	}
	a.flags(cmd)
	f.flags(cmd, "")
	cmd.Flags().StringVar(&to, "to", "", "the file to write (default: quorate-VERSION-ARCH.bundle.tar here)")
	return cmd
}

// writeBundle writes a bundle whole, or not at all.
func writeBundle(to string, files []artifact.File) error {
	store, err := artifact.OpenStore("")
	if err != nil {
		return err
	}
	out, err := os.CreateTemp(filepath.Dir(to), ".bundle-*")
	if err != nil {
		return fmt.Errorf("write the bundle: %w", err)
	}
	defer os.Remove(out.Name()) // gone already when all went well
	err = store.Export(out, files)
	if err = errors.Join(err, out.Chmod(0o644), out.Close()); err != nil {
		return err
	}
	return os.Rename(out.Name(), to)
}

func artifactsList() *cobra.Command {
	var f form
	cmd := &cobra.Command{
		Use: "list", Example: "  quorate artifacts list",
		Short: "List what the store holds",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			store, err := artifact.OpenStore("")
			if err != nil {
				return err
			}
			all, err := store.List()
			if err != nil {
				return err
			}
			var text strings.Builder
			doc := artifactsDoc{Files: []artifactDoc{}}
			w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "COMPONENT\tVERSION\tARCH\tSOURCE\tNAME\tSIZE\tSHA256")
			for _, l := range all {
				size := fmt.Sprintf("%.1f MiB", float64(l.Size)/(1<<20))
				if !l.Present {
					size = "missing"
				}
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%.12s\n", l.Component, l.Version, l.Arch, l.Source, l.Name, size, l.SHA256)
				doc.Files = append(doc.Files, artifactDoc{Component: l.Component, Version: l.Version, Arch: l.Arch, Source: l.Source, Name: l.Name,
					Path: l.Path, Bytes: l.Size, SHA256: l.SHA256, Present: l.Present})
			}
			w.Flush()
			return f.print(cmd, text.String(), "artifacts", doc)
		},
	}
	f.flags(cmd, "")
	return cmd
}

func artifactsVerify() *cobra.Command {
	var f form
	cmd := &cobra.Command{
		Use: "verify", Example: "  quorate artifacts verify",
		Short: "Check every file in the store against its digest",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			store, err := artifact.OpenStore("")
			if err != nil {
				return err
			}
			checked, bad, err := store.Verify(cmd.Context())
			if err != nil {
				return err
			}
			text, doc := "", verificationDoc{Checked: checked, Damaged: []damageDoc{}}
			for _, d := range bad {
				text += fmt.Sprintf("%s: %s\n", d.Path, d.Why)
				doc.Damaged = append(doc.Damaged, damageDoc{d.Path, d.Why})
			}
			if len(bad) == 0 {
				text = fmt.Sprintf("%d files, all match their digests\n", checked)
			}
			if err := f.print(cmd, text, "verification", doc); err != nil {
				return err
			}
			if len(bad) > 0 {
				return reportedError{errors.New("the store is damaged; remove the files named above and run: quorate artifacts build")}
			}
			return nil
		},
	}
	f.flags(cmd, "")
	return cmd
}
