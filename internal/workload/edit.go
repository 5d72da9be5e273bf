package workload

import (
	"slices"

	"quorate.dev/quorate/internal/knobs"
)

// Edit sets the flags and the image of a manifest that is there to what is wanted,
// and leaves all else as it is: what others have added stays. It says no where only
// the program that writes the manifest can bring it to what is wanted.
func (m Made) Edit(name, text string) (string, bool) {
	is := manifestOf(text, name)
	bare := m.found(manifest{image: m.Image, flags: m.Flags, volumes: is.volumes, env: is.env})
	if !slices.Equal(slices.Sorted(slices.Values(bare)), slices.Sorted(slices.Values(m.wanted()))) {
		return "", false // its volumes, environment or patches are others
	}
	pod, err := knobs.ReadPod(text)
	if err != nil || pod.Scalar("spec", "containers", "0", "name") != name {
		return "", false
	}
	for flag := range is.flags {
		if _, wanted := m.Flags[flag]; !wanted && !slices.Contains(m.Others, flag) {
			if pod, err = pod.Set(flag); err != nil {
				return "", false
			}
		}
	}
	for flag, value := range m.Flags {
		if has, there := is.flags[flag]; there && has == value {
			continue
		}
		if pod, err = pod.Set(flag, Each(value)...); err != nil {
			return "", false
		}
	}
	if is.image != m.Image {
		if pod, err = pod.SetImage(m.Image); err != nil {
			return "", false
		}
	}
	after := m.found(manifestOf(pod.Text(), name))
	if !slices.Equal(slices.Sorted(slices.Values(after)), slices.Sorted(slices.Values(m.wanted()))) {
		return "", false
	}
	return pod.Text(), true
}
