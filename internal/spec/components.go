package spec

import (
	"reflect"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	kubeproxy "k8s.io/kube-proxy/config/v1alpha1"
	scheduler "k8s.io/kube-scheduler/config/v1"
	kubelet "k8s.io/kubelet/config/v1beta1"
)

var flagName = regexp.MustCompile(`^[a-z0-9][a-zA-Z0-9-]*$`)

// ComponentNames are the keys that spec.components may have.
func ComponentNames() []string {
	f, _ := reflect.TypeFor[Spec]().FieldByName("Components")
	return field{StructField: f}.set("keys")
}

// judgeFlags checks the names of components and of their extra flags.
func judgeFlags(r *report, components map[string]Component) {
	known := ComponentNames()
	for _, name := range sorted(components) {
		path := child("spec.components", name)
		if !slices.Contains(known, name) {
			r.bad(path, oneOf(known), "unknown component%s", meant(name, known))
			continue
		}
		judgeArgs(r, path+".extraArgs", name, components[name].ExtraArgs)
		judgeEnvs(r, path+".extraEnvs", name, components[name].ExtraEnvs)
		judgeVolumes(r, path+".extraVolumes", name, components[name].ExtraVolumes)
	}
}

func judgeArgs(r *report, at, component string, args map[string]Values) {
	for _, flag := range sorted(args) {
		here, values := child(at, flag), args[flag]
		if len(values) == 0 {
			r.bad(here, "a value, or a list of values", "it has none")
		}
		for i, value := range values {
			if len(values) > 1 {
				judgeFlag(r, item(here, i), component, flag, value)
			} else {
				judgeFlag(r, here, component, flag, value)
			}
		}
	}
}

func judgeFlag(r *report, path, component, flag, value string) {
	bare := strings.TrimLeft(flag, "-")
	reason, isOwned := owned[component][bare]
	switch {
	case isOwned:
		r.note(Issue{Path: path, Problem: "the flag is quorate's own: " + reason, Next: "remove it"})
	case bare != flag:
		r.bad(path, shown(bare), "%s has leading dashes", shown(flag))
	case strings.Contains(flag, "="):
		r.bad(path, "the flag's name as key and its value as value", "%s holds a value", shown(flag))
	case !flagName.MatchString(flag):
		r.bad(path, "a flag's name without dashes in front", "%s is not a flag", shown(flag))
	case strings.ContainsFunc(value, unicode.IsControl):
		// A line break would begin a setting of its own in the unit file.
		r.bad(path, "text on one line", "%U in its value", firstControl(value))
	case len(r.flags[component]) > 0 && !slices.Contains(r.flags[component], flag):
		r.bad(path, "one of its flags: "+component+" --help", "%s has no flag %s in this version%s", component, shown(flag),
			meant(flag, r.flags[component]))
	default:
		warnInsecure(r, path, component, flag, value)
	}
}

func firstControl(s string) rune {
	r, _ := utf8.DecodeRuneInString(s[strings.IndexFunc(s, unicode.IsControl):])
	return r
}

// meant is "; did you mean x?", or nothing.
func meant(word string, candidates []string) string {
	if near := nearest(word, candidates); near != "" {
		return "; did you mean " + near + "?"
	}
	return ""
}

// judgeConfigurations reads the configurations strictly into Kubernetes'
// own types.
func judgeConfigurations(r *report, c *Cluster) {
	judgeConfiguration(r, "kubeletConfiguration", c.Spec.KubeletConfiguration, &kubelet.KubeletConfiguration{},
		kubelet.SchemeGroupVersion.String())
	judgeConfiguration(r, "kubeSchedulerConfiguration", c.Spec.KubeSchedulerConfiguration, &scheduler.KubeSchedulerConfiguration{},
		scheduler.SchemeGroupVersion.String())
	judgeConfiguration(r, "kubeProxyConfiguration", c.Spec.KubeProxyConfiguration, &kubeproxy.KubeProxyConfiguration{},
		kubeproxy.SchemeGroupVersion.String())
}

func judgeConfiguration(r *report, key string, given map[string]any, into any, apiVersion string) {
	if len(given) == 0 {
		return
	}
	v := reflect.ValueOf(into).Elem()
	d := &decoder{report: r, root: reflect.TypeFor[struct{}]()}
	d.value(toNode(reflect.ValueOf(given)), v, "spec."+key)
	for _, must := range [][2]string{{"apiVersion", apiVersion}, {"kind", v.Type().Name()}} {
		if got, there := given[must[0]]; there && got != must[1] {
			r.bad("spec."+key+"."+must[0], must[1], "not what this is read as")
		}
	}
	warnInsecureFields(r, key, given)
	for _, path := range sorted(ownedFields[key]) {
		if has(given, strings.Split(path, ".")) {
			r.note(Issue{Path: "spec." + key + "." + path, Problem: "the field is quorate's own: " + ownedFields[key][path], Next: "remove it"})
		}
	}
}

// has says whether a nested key is there.
func has(m map[string]any, path []string) bool {
	_, ok := at(m, path)
	return ok
}

// at is the value of a nested key.
func at(m map[string]any, path []string) (any, bool) {
	v, ok := m[path[0]]
	if !ok || len(path) == 1 {
		return v, ok
	}
	inner, _ := v.(map[string]any)
	return at(inner, path[1:])
}
