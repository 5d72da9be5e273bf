package spec

import (
	"path"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

var envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// ownEnv says why a variable is not the user's to set, or "".
func ownEnv(component, name string) string {
	switch {
	case strings.HasPrefix(name, "QUORATE_"):
		return "the variable is quorate's own: by it a process tells what it has read"
	case component == "etcd" && strings.HasPrefix(name, "ETCD_"):
		return "etcd does not start with a flag and a variable of one name; write the flag into extraArgs"
	case component == "kubelet" && strings.HasPrefix(name, "KUBELET_"):
		return "the variable holds the kubelet's flags; write the flag into extraArgs"
	}
	return ""
}

func judgeEnvs(r *report, at, component string, envs []Env) {
	seen := map[string]bool{}
	for i, e := range envs {
		here := item(at, i)
		switch why := ownEnv(component, e.Name); {
		case e.Name == "":
			r.bad(here+".name", "a name such as GOMEMLIMIT", "missing")
		case !envName.MatchString(e.Name):
			r.bad(here+".name", "letters, digits and _, and no digit in front", "%s is not the name of a variable", shown(e.Name))
		case why != "":
			r.note(Issue{Path: here + ".name", Problem: why, Next: "remove it"})
		case seen[e.Name]:
			r.note(Issue{Path: here + ".name", Problem: shown(e.Name) + " is given twice", Next: "remove one"})
		case strings.ContainsFunc(e.Value, unicode.IsControl):
			r.bad(here+".value", "text on one line", "%U in its value", firstControl(e.Value))
		}
		seen[e.Name] = true
	}
}

// podVolumes are the names and paths of volumes that kubeadm and quorate give to
// static pods (cmd/kubeadm/app/phases/controlplane/volumes.go).
var podVolumes = strings.Fields(`k8s-certs ca-certs kubeconfig etcd-certs etcd-data flexvolume-dir etc-pki etc-pki-ca-trust etc-pki-tls-certs
	etc-ca-certificates usr-share-ca-certificates usr-local-share-ca-certificates audit-policy audit-log scheduler-config`)

var pathTypes = func() []string {
	f, _ := reflect.TypeFor[Volume]().FieldByName("PathType")
	return field{StructField: f}.set("enum")
}()

func judgeVolumes(r *report, at, component string, volumes []Volume) {
	names, mounts := map[string]bool{}, map[string]bool{}
	absolute := func(where, p string) {
		if !path.IsAbs(p) || path.Clean(p) != p || p == "/" || strings.ContainsFunc(p, unicode.IsControl) {
			r.bad(where, "an absolute path, such as /mnt/webhook", "%s is none", shown(p))
		}
	}
	for i, v := range volumes {
		here := item(at, i)
		switch {
		case !dnsLabel.MatchString(v.Name):
			r.bad(here+".name", "lower-case letters, digits and dashes, 63 at most", "%s is not the name of a volume", shown(v.Name))
		case slices.Contains(podVolumes, v.Name):
			r.bad(here+".name", "another name", "%s is a volume that %s has already", v.Name, component)
		case names[v.Name]:
			r.bad(here+".name", "another name", "%s is given twice", v.Name)
		}
		if v.PathType != "" && !slices.Contains(pathTypes, v.PathType) {
			r.bad(here+".pathType", oneOf(pathTypes), "unknown pathType %s%s", shown(v.PathType), meant(v.PathType, pathTypes))
		}
		absolute(here+".hostPath", v.HostPath)
		absolute(here+".mountPath", v.MountPath)
		if mounts[v.MountPath] {
			r.bad(here+".mountPath", "a path of its own", "%s is given twice", shown(v.MountPath))
		}
		names[v.Name], mounts[v.MountPath] = true, true
	}
}
