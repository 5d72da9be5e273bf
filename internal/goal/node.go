package goal

import (
	corev1 "k8s.io/api/core/v1"

	"quorate.dev/quorate/internal/kubeapi"
	"quorate.dev/quorate/internal/model"
)

// NodeSettings are the labels and taints that the file gives a host's node.
func (g *Goal) NodeSettings(id model.HostID) (s kubeapi.NodeSettings) {
	h, _ := g.File.Host(string(id))
	s.Labels = h.Labels
	for _, t := range h.Taints {
		s.Taints = append(s.Taints, corev1.Taint{Key: t.Key, Value: t.Value, Effect: corev1.TaintEffect(t.Effect)})
	}
	return s
}
