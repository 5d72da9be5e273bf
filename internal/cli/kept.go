package cli

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/step"
)

// verboseFlag adds --verbose to a command that changes hosts.
func verboseFlag(cmd *cobra.Command) {
	cmd.Flags().Bool("verbose", false, "name each replaced file and where it is kept (the journal has them in any case)")
}

func isVerbose(cmd *cobra.Command) bool {
	f := cmd.Flags().Lookup("verbose")
	return f != nil && f.Value.String() == "true"
}

// keptLines says where each host keeps what a run replaced, one line a host.
func keptLines(kept []step.Kept) (out []string) {
	by := map[model.HostID][]step.Kept{}
	var hosts []model.HostID
	for _, k := range kept {
		if by[k.Host] == nil {
			hosts = append(hosts, k.Host)
		}
		by[k.Host] = append(by[k.Host], k)
	}
	slices.Sort(hosts)
	for _, h := range hosts {
		if len(by[h]) == 1 {
			out = append(out, by[h][0].String())
			continue
		}
		out = append(out, fmt.Sprintf("%s: kept %d replaced files under %s", h, len(by[h]), commonDir(by[h])))
	}
	return out
}

// commonDir is the deepest folder that holds all that was kept.
func commonDir(kept []step.Kept) string {
	dir := path.Dir(kept[0].At)
	for _, k := range kept[1:] {
		for dir != "/" && dir != "." && !strings.HasPrefix(k.At, dir+"/") {
			dir = path.Dir(dir)
		}
	}
	return dir
}
