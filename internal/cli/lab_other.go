//go:build !linux

package cli

import "github.com/spf13/cobra"

// labCommands are none: lab hosts are systemd-nspawn containers.
func labCommands() []*cobra.Command { return nil }
