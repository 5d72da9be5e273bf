//go:build lab && soak

package e2e

import (
	"fmt"
	"slices"
)

// fault is something that goes wrong on one host, such that what is left is a
// quorum of etcd's disks with all of the cluster's keys.
type fault struct{ kind, host, what, script string }

var (
	nodeUnits  = []string{"containerd", "kubelet", "kube-proxy", "quorate-routes"}
	ownerUnits = []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"}
	nodeFiles  = []string{"/etc/quorate/routes", "/etc/kubernetes/kubelet.conf",
		"/etc/kubernetes/kube-proxy.conf",
		"/etc/containerd/config.toml", "/etc/cni/net.d/10-quorate.conflist"}
	ownerFiles = []string{"/etc/kubernetes/pki/apiserver.crt", "/etc/kubernetes/pki/etcd/peer.key",
		"/etc/kubernetes/controller-manager.conf", "/etc/kubernetes/scheduler.conf"}
	sharedKeys = []string{"/etc/kubernetes/pki/ca.key", "/etc/kubernetes/pki/sa.key", "/etc/kubernetes/pki/encryption.yaml",
		"/etc/kubernetes/pki/etcd/ca.crt"}
)

// fault draws one.
func (s *soak) fault() fault {
	f := fault{host: s.pick(append(slices.Clone(s.voters), s.worker()))}
	owner := f.host != s.worker()
	door, conf := frontDoor(s.all.Spec.LoadBalancer.Kind)
	units, files := append(slices.Clone(nodeUnits), door), append(slices.Clone(nodeFiles), conf)
	if owner {
		units, files = append(units, ownerUnits...), append(files, ownerFiles...)
	}
	kinds := []string{"stop", "kill", "mask", "disable", "edit", "delete"}
	if len(s.voters) >= 3 && owner {
		// Others have it all.
		kinds, files = append(kinds, "wipe", "wipe"), append(files, sharedKeys...)
	}
	f.kind = s.pick(kinds)
	unit, file := s.pick(units), s.pick(files)
	at, binary := "/etc/systemd/system/"+unit+".service", "/opt/quorate/bin/kube-proxy"
	if owner {
		binary = "/opt/quorate/bin/" + s.pick(ownerUnits)
	}
	switch f.kind {
	case "stop":
		f.what, f.script = unit, "systemctl stop "+unit
	case "kill":
		f.what, f.script = unit, "systemctl kill --signal=KILL "+unit+" || true"
	case "mask":
		f.what, f.script = unit, fmt.Sprintf("mv %s /root/ && systemctl mask --now %s", at, unit)
	case "disable":
		f.what, f.script = unit, "systemctl disable --now "+unit
	case "edit":
		// A unit, or something that takes a comment; a certificate or a key is cut short.
		f.what = s.pick([]string{at, at, file})
		f.script = fmt.Sprintf(`case %[1]s in *.crt|*.key) truncate -s 100 %[1]s;; *) echo '# by hand' >>%[1]s;; esac`, f.what)
		if slices.Contains(sharedKeys, f.what) {
			f.kind = "delete" // another key is another cluster's: that is refused, and rightly
			f.script = "rm " + f.what
		}
	case "delete":
		f.what = s.pick([]string{at, file, file, binary})
		f.script = "rm " + f.what
	case "wipe":
		f.what, f.script = "etcd's data", "systemctl stop etcd && rm -r /var/lib/etcd/member"
	}
	return f
}
