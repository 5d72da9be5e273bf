package workload

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"quorate.dev/quorate/internal/model"
)

// Made is a static pod whose manifest another program writes (kubeadm). Of it
// only the image and the flags are compared: those that the cluster decides must
// be as wanted, and those that the program sets by itself may be anything.
// Every other flag is one too many.
type Made struct {
	Image string
	Flags map[string]string
	// Others are the flags that the program sets by itself.
	Others []string
	// Reads are files of the service that lie there already, and are read once.
	Reads []string
	// Volumes and Env are what the user adds to the manifest, by name; of others
	// nothing is compared.
	Volumes, Env map[string]string
	// Mark tells by the environment of the running process what the user has added
	// beside flags; "" for nothing.
	Mark string
	// Sources are paths of the host that must be there before the pod starts.
	Sources []string
	// Phase are the program's arguments that make it write the manifest.
	Phase []string
	// Loose says that others have made it: of a manifest that is there only Flags
	// are compared, and every other flag, and the image, may be anything.
	Loose bool
}

// MadeService is a component whose manifest another program writes.
func MadeService(name string, kind StaticPods, m Made, certs []string, files ...File) Service {
	return Service{Name: name, Kind: kind, Made: &m, Files: files, Certs: certs}
}

// lines are what is compared: one for each flag that counts.
func (m Made) lines(flags map[string]string) []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(flags)) {
		if _, wanted := m.Flags[name]; wanted || !m.Loose && !slices.Contains(m.Others, name) {
			out = append(out, "--"+name+"="+flags[name])
		}
	}
	if m.Mark != "" {
		out = append(out, "mark "+m.Mark)
	}
	return out
}

// found are the lines of a manifest as it lies there.
func (m Made) found(c manifest) []string {
	m.Mark = c.env[StampEnv]
	if m.Loose {
		m.Mark, c.image = "", ""
	}
	out := append(m.lines(c.flags), "image "+c.image)
	for name := range m.Volumes {
		out = append(out, "volume "+name+" "+c.volumes[name])
	}
	for name := range m.Env {
		out = append(out, "env "+name+"="+c.env[name])
	}
	return out
}

// wanted are the lines of the manifest as it must be.
func (m Made) wanted() []string {
	return m.found(manifest{image: m.Image, flags: m.Flags, volumes: m.Volumes, env: withMark(m.Env, m.Mark)})
}

func withMark(env map[string]string, mark string) map[string]string {
	out := maps.Clone(env)
	if out == nil {
		out = map[string]string{}
	}
	out[StampEnv] = mark
	return out
}

// flagsOf reads a command line. A flag that is repeated has all its values.
func flagsOf(argv []string) map[string]string {
	out := map[string]string{}
	for _, word := range argv[min(1, len(argv)):] {
		name, value, _ := strings.Cut(strings.TrimLeft(word, "-"), "=")
		if before, again := out[name]; again {
			value = before + between + value
		}
		out[name] = value
	}
	return out
}

// manifest is what is compared of one.
type manifest struct {
	image        string
	flags        map[string]string
	volumes, env map[string]string
}

// manifestOf reads the container of a manifest that has the name of the
// component, or else the first one.
func manifestOf(text, name string) manifest {
	var p corev1.Pod
	if yaml.Unmarshal([]byte(text), &p) != nil || len(p.Spec.Containers) == 0 {
		return manifest{} // half written, or none: not as wanted
	}
	c := p.Spec.Containers[max(0, slices.IndexFunc(p.Spec.Containers, func(c corev1.Container) bool { return c.Name == name }))]
	m := manifest{image: c.Image, flags: flagsOf(slices.Concat(c.Command, c.Args)), volumes: map[string]string{}, env: map[string]string{}}
	for _, e := range c.Env {
		m.env[e.Name] = e.Value
	}
	for _, v := range p.Spec.Volumes {
		i := slices.IndexFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool { return m.Name == v.Name })
		if v.HostPath == nil || i < 0 {
			continue
		}
		kind := corev1.HostPathUnset
		if v.HostPath.Type != nil {
			kind = *v.HostPath.Type
		}
		m.volumes[v.Name] = VolumeLine(v.HostPath.Path, c.VolumeMounts[i].MountPath, c.VolumeMounts[i].ReadOnly, string(kind))
	}
	return m
}

// VolumeLine is all that is compared of a volume.
func VolumeLine(hostPath, mountPath string, readOnly bool, pathType string) string {
	return fmt.Sprintf("%s %s %t %s", hostPath, mountPath, readOnly, pathType)
}

// stamp is the digest of what the running process has read.
func (m Made) stamp() string {
	return digest(m.lines(m.Flags))[:16]
}

// FoundDisk is the digest of what lies on the disk, by the SHA-256 of files and
// the manifest; "" without a manifest.
func (s Service) FoundDisk(at State, sums map[string]string) string {
	if at.Manifest == "" {
		return "" // its other files alone are none
	}
	found := map[string]string{}
	for _, f := range s.Rendered() {
		found[f.Path] = sums[f.Path]
	}
	return digest(s.Made.found(manifestOf(at.Manifest, s.Name)))[:16] + "-" + DiskDigest(found)
}

// versionOf is the version of the image that a manifest names. etcd's images are
// numbered behind it (3.6.8-0).
func versionOf(text, name string) string {
	image := manifestOf(text, name).image
	_, tag, _ := strings.Cut(image[strings.LastIndex(image, "/")+1:], ":")
	if before, after, is := strings.Cut(tag, "-"); is && strings.Trim(after, "0123456789") == "" {
		return before
	}
	return tag
}

// hasReadMade is HasRead of a service whose manifest another program writes.
func (s Service) hasReadMade(at State, sums map[string]string) model.Known[bool] {
	if at.Read != s.Made.Mark {
		return model.Is(false).Because("its pod has other volumes, environment or patches")
	}
	if !slices.Equal(s.Made.lines(flagsOf(at.Argv)), s.Made.lines(s.Made.Flags)) {
		return model.Is(false).Because("its process has another command line")
	}
	var paths []string
	for _, f := range s.Rendered() {
		if sums[f.Path] != sum(f.Content) && !s.cold(f.Path) {
			return model.Is(false).Because(f.Path + " is another than wanted")
		}
		if !s.cold(f.Path) {
			paths = append(paths, f.Path)
		}
	}
	return at.readBefore(slices.Concat(paths, s.Made.Reads))
}

// readBefore says whether files have changed since the process began.
func (at State) readBefore(paths []string) model.Known[bool] {
	var unseen string
	for _, p := range paths {
		changed, seen := at.FileTimes[p]
		switch {
		case !seen:
			unseen = p
		// The clocks are read one after the other, and ctime has no fractions here.
		case changed.After(at.Started.Add(time.Second)):
			return model.Is(false).Because(p + " has changed since its process began")
		case !changed.Before(at.Started.Add(-2 * time.Second)):
			unseen = p
		}
	}
	if unseen != "" {
		return model.Unknown[bool]("it cannot be told whether its process has read " + unseen)
	}
	return model.Is(true)
}
