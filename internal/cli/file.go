package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"quorate.dev/quorate/internal/localfile"
	"quorate.dev/quorate/internal/spec"
)

// initCommand writes a starter cluster file.
func initCommand() *cobra.Command {
	var name, output string
	var controlPlanes, workers []string
	var form form
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Write a starter cluster file",
		Example: `  quorate init
  quorate init --name prod --control-plane 10.0.0.11,10.0.0.12,10.0.0.13 --worker 10.0.0.21`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			data := spec.Init(name, starterHosts(controlPlanes, workers)...)
			file, warnings, err := spec.Parse(output, data)
			if err != nil {
				return fmt.Errorf("nothing was written, the file would not be valid:\n%w", err)
			}
			if err := writeNew(output, data); err != nil {
				return err
			}
			warn(cmd, warnings)
			return form.print(cmd, fmt.Sprintf("wrote %s\nnext: edit it, then run: quorate plan -f %s\n", output, output), "file",
				fileDocOf(output, file, warnings))
		},
	}
	f := cmd.Flags()
	f.StringVar(&name, "name", "prod", "the cluster's name")
	f.StringVarP(&output, "file", "f", "cluster.yaml", "the cluster file to write")
	f.StringSliceVar(&controlPlanes, "control-plane", nil, "addresses of control planes")
	f.StringSliceVar(&workers, "worker", nil, "addresses of workers")
	form.flags(cmd, "")
	return cmd
}

// read loads the cluster file, from stdin when its name is "-".
func (t *target) read(ctx context.Context, cmd *cobra.Command) (*spec.Cluster, []spec.Warning, error) {
	var data []byte
	var err error
	name := t.file
	if t.file == "-" {
		name = "stdin"
		if data, err = localfile.ReadStream(ctx, name, cmd.InOrStdin(), spec.MaxFile); err != nil {
			err = fmt.Errorf("read cluster file: %w", err)
		}
	} else {
		data, err = spec.ReadFile(t.file)
	}
	if err != nil {
		return nil, nil, usageError{err}
	}
	sum := sha256.Sum256(data)
	t.sum = hex.EncodeToString(sum[:])
	file, warnings, err := spec.LoadBytes(name, data)
	if err != nil {
		return nil, nil, usageError{err}
	}
	return file, warnings, nil
}

// warn shows the warnings about a file, as many as are worth reading.
func warn(cmd *cobra.Command, warnings []spec.Warning) {
	const most = 20
	for _, w := range warnings[:min(len(warnings), most)] {
		fmt.Fprintln(cmd.ErrOrStderr(), "warning:", w)
	}
	if n := len(warnings) - most; n > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "warning: %d more\n", n)
	}
}

// validateCommand checks the cluster file without any host.
func validateCommand() *cobra.Command {
	var t target
	var f form
	cmd := &cobra.Command{
		Use:   "validate",
		Short: "Check the cluster file without connecting to any host",
		Long: `Validate reads the file as every other command does and names each mistake with
its place. It exits with 0 when the file is valid, with 2 when it is not.`,
		Example: "  quorate validate -f prod.yaml",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			file, warnings, err := t.read(cmd.Context(), cmd)
			if err != nil {
				return err
			}
			warn(cmd, warnings)
			return f.print(cmd, fmt.Sprintf("%s is valid: cluster %s, %d hosts\n", t.file, file.Metadata.Name, len(file.Spec.Hosts)), "file",
				fileDocOf(t.file, file, warnings))
		},
	}
	cmd.Flags().StringVarP(&t.file, "file", "f", "cluster.yaml", "the cluster file; - is stdin")
	f.flags(cmd, "")
	return cmd
}

func fileDocOf(path string, file *spec.Cluster, warnings []spec.Warning) fileDoc {
	d := fileDoc{Path: path, Cluster: file.Metadata.Name, Hosts: len(file.Spec.Hosts), Warnings: []string{}}
	for _, w := range warnings {
		d.Warnings = append(d.Warnings, w.String())
	}
	return d
}

// schemaCommand prints the cluster file's JSON Schema.
func schemaCommand() *cobra.Command {
	return &cobra.Command{
		Use: "schema", Example: "  quorate schema > cluster.schema.json",
		Short: "Print the JSON Schema of the cluster file, for editors",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			schema, err := spec.Schema()
			if err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write(schema)
			return err
		},
	}
}

// starterHosts names hosts cp1, cp2, … and w1, w2, … in the order given.
func starterHosts(controlPlanes, workers []string) []spec.Host {
	var hosts []spec.Host
	add := func(prefix, role string, addresses []string) {
		for i, a := range addresses {
			hosts = append(hosts, spec.Host{Name: fmt.Sprintf("%s%d", prefix, i+1), Address: strings.TrimSpace(a), Roles: []string{role}})
		}
	}
	add("cp", spec.RoleControlPlane, controlPlanes)
	add("w", spec.RoleWorker, workers)
	return hosts
}

// writeNew writes a file that must not be there yet.
func writeNew(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("write %s: the file exists and was left unchanged; next: choose another name with --file, or move %s away", path,
			filepath.Base(path))
	}
	if err != nil {
		return fmt.Errorf("write cluster file: %w", err)
	}
	if _, err = f.Write(data); err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		os.Remove(path) // half a file would only be in the way
		return fmt.Errorf("write cluster file: %w", err)
	}
	return nil
}
