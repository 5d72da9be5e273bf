package cli

import (
	"github.com/spf13/cobra"
)

// etcdCommand holds what concerns the cluster's database alone.
func etcdCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "etcd",
		Short: "Look after the cluster's database",
		Args:  cobra.NoArgs,
	}
	cmd.AddCommand( /* recovery: */ )
	return cmd
}
