package refs

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"quorate.dev/quorate/internal/localfile"
)

// maxHere is the size of the largest file that is read here, in bytes.
const maxHere = 4 << 20

// OnThisMachine looks at the kubeconfigs of who runs quorate (in a home's folder
// for them, and those that the environment lists), and at the hosts file.
func (c Cluster) OnThisMachine(home, listed, hostsFile string) (out []Mention, notAsked []string) {
	paths := filepath.SplitList(listed)
	if found, err := filepath.Glob(filepath.Join(home, ".kube", "*")); err == nil && home != "" {
		paths = append(paths, found...)
	}
	slices.Sort(paths)
	for _, p := range slices.Compact(paths) {
		if info, err := os.Stat(p); err != nil || !info.Mode().IsRegular() {
			continue // a folder of caches, or nothing
		}
		text, err := localfile.Read(p, maxHere)
		if err != nil {
			notAsked = append(notAsked, err.Error())
			continue
		}
		if seen, err := c.servers(text, Mention{Host: Here, Kind: Kubeconfig, Place: p}); err == nil {
			out = append(out, seen...)
		}
	}
	text, err := localfile.Read(hostsFile, maxHere)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		notAsked = append(notAsked, err.Error())
	}
	return append(out, c.mentions(string(text), Mention{Host: Here, Kind: HostsFile, Place: hostsFile})...), notAsked
}
