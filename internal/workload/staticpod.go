package workload

import (
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"quorate.dev/quorate/internal/layout"
)

// versionMark stands for the version of the program, in a manifest.
const versionMark = "@QUORATE_VERSION@"

// clusterLabel is the mark of our manifests, as X-Quorate is of our units.
const clusterLabel = "quorate.dev/cluster"

// StaticPods runs each component as a static pod of the host's kubelet. A
// manifest that changes is a restart: the kubelet sees to it by itself.
type StaticPods struct {
	// Manifests is the folder whose pods the kubelet runs without being told by an
	// API server. A copy of a manifest in it would be a second pod.
	Manifests string
	Crictl    string // the program with its socket
}

// Pods runs static pods where a layout has them.
func Pods(at layout.Layout) StaticPods {
	socket := "unix://" + at.Containerd.Socket
	return StaticPods{Manifests: at.Kubelet.Manifests, Crictl: at.Program("crictl") + " -r " + socket + " -i " + socket}
}

// IsPod says that the kubelet runs it.
func (s Service) IsPod() bool {
	_, is := s.Kind.(StaticPods)
	return is
}

// PodStyle says whether a component runs as a static pod, and how that tells
// what it has read.
type PodStyle uint8

// The styles.
const (
	NoPod      PodStyle = iota
	StampedPod          // by a stamp in its environment, as our own do
	PlainPod            // by its command line and its files' times, as those that others made must
	MadePod             // like PlainPod, and another program writes its manifest
)

// Pod is what differs between the static pods of components.
type Pod struct {
	Cluster string
	Image   string
	// Launcher are words before Command that become Command (exec), so that they
	// are not seen in the running process.
	Launcher, Command []string
	Mounts            []Mount
	// Started, Ready and Live are the kubelet's probes. Until Started has
	// succeeded the others are not tried.
	Started, Ready, Live *corev1.Probe
	// Grace is how long it may take to end, in seconds.
	Grace int64
	// Unstamped leaves the stamp out of its environment: what it has read is
	// told by its command line and by the times of its files.
	Unstamped bool
}

// Mount shows a file or folder of the host to the pod, at the same place.
type Mount struct {
	Path  string
	Write bool
	Make  bool // the folder is made when it is not there
}

// PodService makes a static pod of a component and its files.
func PodService(name string, kind StaticPods, p Pod, certs []string, files ...File) (Service, error) {
	text, err := p.manifest(name)
	if err != nil {
		return Service{}, fmt.Errorf("write the manifest of %s: %w", name, err)
	}
	s := Service{Name: name, Kind: kind, Unit: text, Files: files, Certs: certs}
	if p.Unstamped {
		s.Argv = p.Command
	}
	return s, nil
}

func (p Pod) manifest(name string) (string, error) {
	c := corev1.Container{Name: name, Image: p.Image, ImagePullPolicy: corev1.PullIfNotPresent,
		Command: slices.Concat(p.Launcher, p.Command), StartupProbe: p.Started, ReadinessProbe: p.Ready, LivenessProbe: p.Live}
	if !p.Unstamped {
		c.Env = []corev1.EnvVar{{Name: StampEnv, Value: StampMark}, {Name: VersionEnv, Value: versionMark}}
	}
	pod := corev1.Pod{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: metav1.NamespaceSystem,
			Labels: map[string]string{"component": name, "tier": "control-plane", clusterLabel: p.Cluster}},
		Spec: corev1.PodSpec{
			HostNetwork:                   true,
			PriorityClassName:             "system-node-critical",
			Priority:                      new(int32(2000001000)), // of that class; nobody resolves it before there is an API
			TerminationGracePeriodSeconds: new(p.Grace),
			EnableServiceLinks:            new(false),
			SecurityContext: &corev1.PodSecurityContext{
				SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}},
		},
	}
	for i, m := range p.Mounts {
		volume, kind := fmt.Sprintf("host-%d", i), corev1.HostPathUnset
		if m.Make {
			kind = corev1.HostPathDirectoryOrCreate
		}
		c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{Name: volume, MountPath: m.Path, ReadOnly: !m.Write})
		pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: volume,
			VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: m.Path, Type: new(kind)}}})
	}
	pod.Spec.Containers = []corev1.Container{c}
	raw, err := json.Marshal(pod)
	if err != nil {
		return "", err
	}
	var fields map[string]any
	if err := json.Unmarshal(raw, &fields); err != nil {
		return "", err
	}
	delete(fields, "status") // the API server's to write
	text, err := yaml.Marshal(fields)
	return "# Written by quorate; changes are overwritten.\n" + string(text), err
}

// Path of the manifest.
func (k StaticPods) Path(name string) string { return path.Join(k.Manifests, name+".yaml") }

// Stamped puts the stamp into the container's environment.
func (StaticPods) Stamped(s Service, stamp string) string {
	return strings.NewReplacer(StampMark, stamp, versionMark, s.Version).Replace(s.Unit)
}

// Begin has nothing to do: the kubelet watches the folder.
func (StaticPods) Begin([]string) string { return "" }

// Apply ends a container that is to read again what is not in its manifest. Of
// a manifest that changed after it started, the kubelet makes a new pod.
func (k StaticPods) Apply(s Service, c Change) string {
	if c == Keep {
		return ""
	}
	return fmt.Sprintf(`p=$(%[1]s ps -q --name '^%[2]s$' 2>/dev/null | head -n 1)
if [ -n "$p" ] && started=$(%[1]s inspect -o go-template --template '{{.info.pid}}' "$p" 2>/dev/null) && [ -d "/proc/$started" ]; then
	began=$(( $(date +%%s) - $(cut -d. -f1 /proc/uptime) + $(sed 's/.*) //' "/proc/$started/stat" | cut -d' ' -f20) / 100 ))
	[ "$(stat -c %%Y %[3]s)" -ge "$began" ] || systemd-run -q --no-block --collect %[1]s stop -t 30 "$p"
fi
`, k.Crictl, s.Name, k.Path(s.Name))
}

// SetOverridesAside has nothing to do: a manifest is one file, and it is ours.
func (StaticPods) SetOverridesAside(string) string { return ":" }

// Diagnose reads the newest log of the container, and what the kubelet says.
func (k StaticPods) Diagnose(name string) string {
	return fmt.Sprintf(`%[1]s ps -a --name '^%[2]s$' 2>/dev/null | sed 1d | head -n 1
f=$(ls -t /var/log/pods/kube-system_%[2]s-*/%[2]s/*.log 2>/dev/null | head -n 1)
if [ -n "$f" ]; then tail -n 300 "$f" | cut -d' ' -f4- | %[3]s; else
	journalctl -q -u kubelet -n 300 --no-pager -o cat 2>/dev/null | grep -F %[2]s | %[3]s; fi`, k.Crictl, name, lastLines)
}

var _, _ Kind = Systemd{}, StaticPods{}
