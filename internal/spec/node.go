package spec

import (
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"k8s.io/apimachinery/pkg/util/validation"
)

// ownLabels are set by the kubelet, or by quorate from the roles.
var ownLabels = map[string]string{
	"kubernetes.io/hostname": "the host's name says it",
	"kubernetes.io/os":       "the kubelet says it",
	"kubernetes.io/arch":     "the kubelet says it",
	controlPlaneKey:          "the role control-plane says it",
}

// judgeNode checks what the API would refuse of a node's labels and taints.
func judgeNode(r *report, path string, h Host) {
	if isNode := slices.Contains(h.Roles, RoleControlPlane) || slices.Contains(h.Roles, RoleWorker); !isNode && len(h.Roles) > 0 {
		for key, set := range map[string]bool{"labels": len(h.Labels) > 0, "taints": len(h.Taints) > 0, "kubelet": h.Kubelet != nil} {
			if set {
				r.note(Issue{Path: path + "." + key, Problem: "a host with the role etcd alone is no node", Next: "remove them"})
			}
		}
	}
	for _, key := range sorted(h.Labels) {
		at := child(path+".labels", key)
		if why, own := ownLabels[key]; own {
			r.note(Issue{Path: at, Problem: "the label is not yours to set: " + why, Next: "remove it"})
			continue
		}
		if wrong := validation.IsQualifiedName(key); len(wrong) > 0 {
			r.bad(at, "a label's key, such as example.com/rack", "%s is none: %s", shown(key), strings.Join(wrong, "; "))
		}
		if wrong := validation.IsValidLabelValue(h.Labels[key]); len(wrong) > 0 {
			r.bad(at, "a label's value, such as r12", "%s is none: %s", shown(h.Labels[key]), strings.Join(wrong, "; "))
		}
	}
	if k := h.Kubelet; k != nil {
		judgeArgs(r, path+".kubelet.extraArgs", "kubelet", k.ExtraArgs)
		if k.ResolvConf != "" && (!filepath.IsAbs(k.ResolvConf) || strings.ContainsFunc(k.ResolvConf, unicode.IsControl)) {
			r.bad(path+".kubelet.resolvConf", "an absolute path on the host", "%s is none", shown(k.ResolvConf))
		}
	}
	seen := map[string]bool{}
	for i, t := range h.Taints {
		at := item(path+".taints", i)
		if wrong := validation.IsQualifiedName(t.Key); len(wrong) > 0 {
			r.bad(at+".key", "a taint's key, such as example.com/gpu", "%s is none: %s", shown(t.Key), strings.Join(wrong, "; "))
		}
		if wrong := validation.IsValidLabelValue(t.Value); len(wrong) > 0 {
			r.bad(at+".value", "a taint's value, such as yes", "%s is none: %s", shown(t.Value), strings.Join(wrong, "; "))
		}
		if t.Key == controlPlaneKey {
			r.note(Issue{Path: at + ".key", Problem: "the taint is not yours to set: a control plane without the role worker has it",
				Next: "remove it"})
		}
		if seen[t.Key+":"+t.Effect] {
			r.note(Issue{Path: at, Problem: shown(t.Key) + " is given twice with this effect", Next: "remove one"})
		}
		seen[t.Key+":"+t.Effect] = true
	}
}

const controlPlaneKey = "node-role.kubernetes.io/control-plane"
