package workload

import (
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
	// Phase are the program's arguments that make it write the manifest.
	Phase []string
}

// MadeService is a component whose manifest another program writes.
func MadeService(name string, kind StaticPods, m Made, certs []string, files ...File) Service {
	return Service{Name: name, Kind: kind, Made: &m, Files: files, Certs: certs}
}

// lines are what is compared: one for each flag that counts.
func (m Made) lines(flags map[string]string) []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(flags)) {
		if _, wanted := m.Flags[name]; wanted || !slices.Contains(m.Others, name) {
			out = append(out, "--"+name+"="+flags[name])
		}
	}
	return out
}

// flagsOf reads a command line. A flag that is repeated has all its values.
func flagsOf(argv []string) map[string]string {
	out := map[string]string{}
	for _, word := range argv[min(1, len(argv)):] {
		name, value, _ := strings.Cut(strings.TrimLeft(word, "-"), "=")
		if before, again := out[name]; again {
			value = before + "\x00" + value
		}
		out[name] = value
	}
	return out
}

// manifestOf reads the image and the command line of a manifest's first container.
func manifestOf(text string) (image string, argv []string) {
	var p corev1.Pod
	if yaml.Unmarshal([]byte(text), &p) != nil || len(p.Spec.Containers) == 0 {
		return "", nil // half written, or none: not as wanted
	}
	c := p.Spec.Containers[0]
	return c.Image, slices.Concat(c.Command, c.Args)
}

// stamp is the digest of what the running process has read.
func (m Made) stamp() string {
	return digest(m.lines(m.Flags))[:16]
}

// disk is the digest of image and flags as a manifest has them.
func (m Made) disk(image string, flags map[string]string) string {
	return digest(append(m.lines(flags), "image "+image))[:16]
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
	image, argv := manifestOf(at.Manifest)
	return s.Made.disk(image, flagsOf(argv)) + "-" + DiskDigest(found)
}

// versionOf is the version of the image that a manifest names. etcd's images are
// numbered behind it (3.6.8-0).
func versionOf(manifest string) string {
	image, _ := manifestOf(manifest)
	_, tag, _ := strings.Cut(image[strings.LastIndex(image, "/")+1:], ":")
	if before, after, is := strings.Cut(tag, "-"); is && strings.Trim(after, "0123456789") == "" {
		return before
	}
	return tag
}

// hasReadMade is HasRead of a service whose manifest another program writes.
func (s Service) hasReadMade(at State, sums map[string]string) model.Known[bool] {
	if !slices.Equal(s.Made.lines(flagsOf(at.Argv)), s.Made.lines(s.Made.Flags)) {
		return model.Is(false).Because("its process has another command line")
	}
	var paths []string
	for _, f := range s.Rendered() {
		if sums[f.Path] != sum(f.Content) && !s.cold(f.Path) {
			return model.Is(false).Because(f.Path + " is another than wanted")
		}
		paths = append(paths, f.Path)
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
