package layout

import (
	"slices"
	"strings"

	"quorate.dev/quorate/internal/model"
)

// With is the layout with other paths, ports and unit names, by the keys that
// the cluster file has for them (spec.Adopted). Unknown keys count for nothing.
func (l Layout) With(paths, ports, units map[string]string) Layout {
	l.Foreign = slices.Clone(l.Foreign)
	if dir := paths["pki"]; dir != "" {
		l.PKI = l.PKI.moved(dir)
	}
	for key, at := range map[string]*string{"etcdData": &l.Etcd.Data, "manifests": &l.Kubelet.Manifests} {
		if paths[key] != "" {
			*at = paths[key]
		}
	}
	for key, at := range map[string]*string{"apiServer": &l.APIServer.Port, "etcdClient": &l.Etcd.ClientPort, "etcdPeer": &l.Etcd.PeerPort,
		"etcdMetrics": &l.Etcd.MetricsPort} {
		if ports[key] != "" {
			*at = ports[key]
		}
	}
	for c := range model.NumComponents {
		if name := units[c.String()]; name != "" {
			l.Units[c] = name
		}
	}
	return l
}

// moved is the same below another folder; kubeconfigs stay where they are.
func (p PKI) moved(dir string) PKI {
	old := p.Dir
	for _, at := range []*string{&p.Dir, &p.CA.Cert, &p.CA.Key, &p.EtcdCA.Cert, &p.EtcdCA.Key, &p.FrontProxyCA.Cert, &p.FrontProxyCA.Key,
		&p.SAKey, &p.SAPub, &p.Encryption} {
		if rest, below := strings.CutPrefix(*at, old); below {
			*at = dir + rest
		}
	}
	return p
}
