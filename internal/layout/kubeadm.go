package layout

import "slices"

// Kubeadm is the layout of clusters whose control plane kubeadm writes, as
// static pods. Keys, kubeconfigs, manifests and etcd's data lie where kubeadm has
// them (cmd/kubeadm/app/constants), so that kubeadm goes on with the cluster by
// hand; nearly all of it is where the systemd flavour has it, too.
func Kubeadm() Layout {
	l := Systemd()
	l.Kubeadm = true
	// Another kubeadm's cluster is known by its manifests.
	l.Foreign = slices.DeleteFunc(l.Foreign, func(p string) bool { return p == l.PKI.ConfFile("admin") })
	return l
}
