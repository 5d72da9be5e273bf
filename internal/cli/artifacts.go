package cli

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"quorate.dev/quorate/internal/artifact"
)

// artifactsCommand is `quorate artifacts`: what clusters are made of, on this
// machine.
func artifactsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "artifacts", Example: "  quorate artifacts list",
		Short: "Build or download the programs and images of a cluster ahead of time",
		Args:  cobra.ArbitraryArgs, RunE: subcommands,
	}
	cmd.AddCommand(artifactsBuild(), artifactsList(), artifactsVerify())
	return cmd
}

func artifactsBuild() *cobra.Command {
	var kubernetes, source, arch string
	var test bool
	var form form
	cmd := &cobra.Command{
		Use: "build", Example: "  quorate artifacts build --kubernetes-version v1.36.3",
		Short: "Build or download everything a cluster needs into the store",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			store, err := artifact.OpenStore("")
			if err != nil {
				return err
			}
			v, err := artifact.Resolve(kubernetes, nil)
			if err != nil {
				return err
			}
			src, err := artifact.NewSource(source, store, artifact.Trust{})
			if err != nil {
				return err
			}
			progress := artifactProgress(cmd.ErrOrStderr())
			names := artifact.SystemdNames()
			var sets []artifact.Needed
			for _, flavour := range []string{"kubeadm", "systemd"} {
				for _, metrics := range []bool{false, true} {
					sets = append(sets, artifact.Flavour(flavour, metrics))
				}
				for _, n := range artifact.Flavour(flavour, false).Programs {
					if !slices.Contains(names, n) {
						names = append(names, n)
					}
				}
			}
			if test {
				last := sets[len(sets)-1]
				last.Images = append(last.Images, "quorate-test")
				sets = append(sets, last)
			}
			files, err := src.Fetch(cmd.Context(), v, arch, names, progress)
			if err != nil {
				return err
			}
			for _, n := range sets {
				set, err := src.Images(cmd.Context(), v, arch, n.Set, n.Images, progress)
				if err != nil {
					return err
				}
				files = append(files, set)
			}
			text, doc := "", artifactsDoc{Files: []artifactDoc{}}
			for _, f := range files {
				text += f.Path + "\n"
				doc.Files = append(doc.Files, artifactOf(f))
			}
			return form.print(cmd, text, "artifacts", doc)
		},
	}
	cmd.Flags().StringVar(&kubernetes, "kubernetes-version", artifact.DefaultKubernetes, "version of Kubernetes; the others follow from it")
	cmd.Flags().StringVar(&source, "source", "modules", "where to get it: modules | upstream")
	cmd.Flags().StringVar(&arch, "arch", runtime.GOARCH, "processor of the hosts: amd64 | arm64")
	form.flags(cmd, "")
	cmd.Flags().BoolVar(&test, "test-image", false, "also pack "+artifact.TestImage+", a small web server for tests")
	return cmd
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

// artifactProgress writes a line whenever something begins or ends, and at
// most one in two seconds while it lasts.
func artifactProgress(w io.Writer) func(artifact.Event) {
	var last time.Time
	var before artifact.Event
	return func(e artifact.Event) {
		if e.What == "cached" {
			return // nothing is built or downloaded: nothing to tell
		}
		same := e.What == before.What && e.Component == before.Component
		if same && time.Since(last) < 2*time.Second {
			return
		}
		last, before = time.Now(), e
		count := ""
		switch {
		case e.What == "download" && e.M > 0:
			count = fmt.Sprintf(" %d/%d MiB", e.N>>20, e.M>>20)
		case e.M > 1:
			count = fmt.Sprintf(" %d/%d", e.N, e.M)
		case e.M == 0 && e.N > 0:
			count = fmt.Sprintf(" %d", e.N)
		}
		fmt.Fprintf(w, "%6.1fs  %s: %s%s  %s\n", e.Elapsed.Seconds(), e.Component, e.What, count, e.Text)
	}
}
