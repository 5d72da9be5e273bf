package spec

import (
	_ "embed"
	"strings"
)

// flags136 are the flags of Kubernetes 1.36's programs and etcd 3.6, a line
// "COMPONENT FLAG" each. hack/flags.sh writes it.
//
//go:embed flags-1.36.txt
var flags136 string

// knownFlags are the flags that each component takes, for those versions whose
// flags are known. The programs end at once with any other.
func knownFlags(c *Cluster) map[string][]string {
	etcd := c.Spec.Artifacts.Versions["etcd"]
	known := map[string][]string{}
	for l := range strings.Lines(flags136) {
		component, flag, _ := strings.Cut(strings.TrimSpace(l), " ")
		of, version := "v1.36.", c.Spec.Kubernetes.Version
		if component == "etcd" {
			of, version = "3.6.", strings.TrimPrefix(etcd, "v")
			if etcd == "" && c.Spec.Adopted == nil {
				version = of // what quorate brings
			}
		}
		if strings.HasPrefix(version, of) {
			known[component] = append(known[component], flag)
		}
	}
	return known
}
