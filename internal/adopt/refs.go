package adopt

import (
	"context"
	"strings"
	"sync"

	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/layout"
)

// refsText prints the files that name one of the addresses in $1. What kubeadm and
// the system keep for themselves is no news.
const refsText = `export LC_ALL=C
set -- $1
for a; do set -- "$@" -e "$a"; shift; done
timeout 10 grep -rIlwF -D skip "$@" $PLACES 2>/dev/null | grep -vE "^($AT_KUBERNETES/|$KNOWN)" | head -n 100`

// References are the files on the hosts that were seen that name an API server's
// address, which is what etcd's are beside. open reaches a machine.
func (f Found) References(ctx context.Context, open func(Machine) host.Host) []Reference {
	var addresses []string
	for _, m := range f.Machines {
		if m.ControlPlane() || m.Member {
			addresses = append(addresses, m.Internal)
		}
	}
	machines := f.reached()
	found := make([][]Reference, len(machines))
	var group sync.WaitGroup
	for i, m := range machines {
		group.Go(func() {
			h := open(m)
			text := "PLACES='" + strings.Join(layout.References, " ") + "' KNOWN='" + strings.Join(layout.OwnReferences, "|") + "'\n" + refsText
			out, err := host.Output(ctx, h, host.Script{What: "look for files that name a server", Text: layout.Kubeadm().Script(text),
				Args: []string{strings.Join(addresses, " ")}})
			if err != nil {
				return // nothing depends on it
			}
			for _, at := range strings.Fields(out) {
				found[i] = append(found[i], Reference{m.Name, at})
			}
		})
	}
	group.Wait()
	var all []Reference
	for _, list := range found {
		all = append(all, list...)
	}
	return all
}
