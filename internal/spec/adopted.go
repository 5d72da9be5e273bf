package spec

import (
	"fmt"
	"path"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Who set an adopted cluster up.
const (
	FromKubeadm = "kubeadm"
	FromUnits   = "units"
)

// EncryptionNone is the provider of a cluster that does not encrypt secrets.
const EncryptionNone = "none"

// IsFound says that others have installed a host's components.
func (c *Cluster) IsFound(name string) bool {
	return c.Spec.Adopted != nil && slices.Contains(c.Spec.Adopted.Hosts, name)
}

// AdoptedKeys are the keys that a map of spec.adopted may have.
func AdoptedKeys(name string) []string {
	f, _ := reflect.TypeFor[Adopted]().FieldByName(name)
	return field{StructField: f}.set("keys")
}

// judgeAdopted checks what the file says of a cluster that others have made.
func judgeAdopted(r *report, c *Cluster) {
	a := c.Spec.Adopted
	if a == nil {
		if c.Spec.Encryption.Provider == EncryptionNone {
			r.bad("spec.encryption.provider", "secretbox or aescbc", "only an adopted cluster can do without encryption")
		}
		return
	}
	if a.From == FromKubeadm && c.Spec.Kubernetes.Flavour != FlavourKubeadm {
		r.bad("spec.kubernetes.flavour", FlavourKubeadm, "the cluster was adopted from kubeadm")
	}
	if len(a.Hosts) == 0 {
		r.bad("spec.adopted.hosts", "the hosts that were found", "missing; those that left stay in it")
	}
	judgeAdoptedHosts(r, c)
	if kind := c.Spec.LoadBalancer.Kind; kind == BuiltinBalancer || kind == HAProxyBalancer {
		r.bad("spec.loadBalancer.kind", oneOf([]string{NoBalancer, ExternalBalancer, NginxBalancer}),
			"an adopted cluster cannot get the kind %s yet", kind)
	}
	for _, name := range sorted(c.Spec.Components) {
		r.bad(child("spec.components", name), "none: change them with kubeadm, as before",
			"flags of an adopted cluster cannot be changed here yet")
	}
	if c.Spec.Network.CNI == CNIBridge {
		r.bad("spec.network.cni", "none, or the path of a manifest", "the pod network of an adopted cluster stays as it is")
	}
	judgeKeys(r, "Paths", a.Paths, func(value string) (string, string) {
		if !path.IsAbs(value) || path.Clean(value) != value || strings.ContainsAny(value, " \t\n\"'\\$;") {
			return "an absolute path without blanks", " is none"
		}
		return "", ""
	})
	judgeKeys(r, "Ports", a.Ports, func(value string) (string, string) {
		if n, err := strconv.ParseUint(value, 10, 16); err != nil || n == 0 {
			return "1 to 65535", " is not a port"
		}
		return "", ""
	})
	judgeKeys(r, "Units", a.Units, func(value string) (string, string) {
		if value == "" || strings.HasSuffix(value, ".service") || strings.ContainsAny(value, " /\t\n\"'\\$;") {
			return "a unit's name without .service", " is none"
		}
		return "", ""
	})
}

// judgeAdoptedHosts checks who joins. One that was found and left stays in
// spec.adopted.hosts: by that it is known what is on it.
func judgeAdoptedHosts(r *report, c *Cluster) {
	a := c.Spec.Adopted
	for i, h := range c.Spec.Hosts {
		if !slices.Contains(a.Hosts, h.Name) && c.Spec.Etcd.Topology != TopologyStacked && !slices.Equal(h.Roles, []string{RoleWorker}) {
			r.bad(fmt.Sprintf("spec.hosts[%d].roles", i), "[worker]",
				"%s would join an adopted cluster whose etcd is external, which is built for workers only; join it with kubeadm, then run "+
					"adopt again", h.Name)
		}
	}
}

func judgeKeys(r *report, name string, given map[string]string, wrong func(string) (expected, problem string)) {
	known := AdoptedKeys(name)
	for _, key := range sorted(given) {
		at := child("spec.adopted."+strings.ToLower(name), key)
		if !slices.Contains(known, key) {
			r.bad(at, oneOf(known), "unknown key%s", meant(key, known))
		} else if expected, problem := wrong(given[key]); expected != "" {
			r.bad(at, expected, "%s%s", shown(given[key]), problem)
		}
	}
}
