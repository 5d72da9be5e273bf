package step

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"quorate.dev/quorate/internal/goal"
	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/kubeadm"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/spec"
)

// What a new host of an adopted cluster needs beside what quorate brings is found out
// before anything is written on it.

// What is carried over at most: configuration, not data.
const (
	carryFiles = 64
	carryBytes = 1 << 20
)

// carried are the files that the cluster's own configuration shows to its control plane
// and that a new one lacks, as a control plane that was found has them.
func (s System) carried(ctx context.Context, e Env, h *goal.Host) ([]host.File, error) {
	if e.Goal.File.Spec.Adopted == nil || h.Found {
		return nil, nil
	}
	if err := s.resolves(ctx, e); err != nil || !h.Node.ControlPlane {
		return nil, err
	}
	text, err := ownKubeadm(ctx, e)
	if err != nil {
		return nil, err
	}
	cc, err := kubeadm.Read(text)
	if err != nil {
		return nil, err
	}
	bring, have := volumesOf(cc)
	if len(bring)+len(have) == 0 {
		return nil, nil
	}
	missing, err := sh(ctx, e, "", `for p; do [ -e "$p" ] || echo "$p"; done`, append(slices.Clone(bring), have...)...)
	if err != nil {
		return nil, err
	}
	lacks := strings.Split(missing, "\n")
	if i := slices.IndexFunc(have, func(p string) bool { return slices.Contains(lacks, p) }); i >= 0 {
		return nil, fmt.Errorf("%s is not on %s, and the cluster's configuration shows it to the control plane; make it there, then apply "+
			"again; nothing was changed there", have[i], s.ID)
	}
	bring = slices.DeleteFunc(bring, func(p string) bool { return !slices.Contains(lacks, p) })
	if len(bring) == 0 {
		return nil, nil
	}
	from, err := s.sibling(e)
	if err != nil {
		return nil, err
	}
	return carry(ctx, from, s.ID, bring)
}

// resolves: a name that others lead to their balancer must lead there on the host, too.
func (s System) resolves(ctx context.Context, e Env) error {
	name, _, _ := net.SplitHostPort(e.Goal.Base.Endpoint())
	if e.Goal.File.Spec.LoadBalancer.Kind != spec.ExternalBalancer {
		return nil
	}
	if _, err := sh(ctx, e, "", `getent ahosts "$1" >/dev/null`, name); err != nil {
		return fmt.Errorf("the endpoint's name %s leads nowhere on %s; see to its DNS or /etc/hosts, then apply again; nothing was changed "+
			"there", name, s.ID)
	}
	return nil
}

// volumesOf are the paths of the host that a person has added to the control plane:
// those whose content must be brought, and those that must only be there.
func volumesOf(cc kubeadm.Found) (bring, have []string) {
	for _, of := range [][]kubeadm.HostPathMount{cc.APIServer.ExtraVolumes, cc.ControllerManager.ExtraVolumes, cc.Scheduler.ExtraVolumes} {
		for _, v := range of {
			switch kind := string(v.PathType); {
			case v.ReadOnly || kind == "File":
				bring = append(bring, v.HostPath)
			case !strings.HasSuffix(kind, "OrCreate"):
				have = append(have, v.HostPath)
			}
		}
	}
	slices.Sort(bring)
	slices.Sort(have)
	return slices.Compact(bring), slices.Compact(have)
}

// sibling is a control plane that has what the volumes show: one that was found, or
// one that runs, to which it was carried.
func (o on) sibling(e Env) (host.Host, error) {
	var joined host.Host
	for _, id := range e.Goal.IDs() {
		h, up := e.Goal.Hosts[id], e.Have.Hosts[id]
		if id == o.ID || !h.Node.ControlPlane || !up.Up() || e.On(id) == nil {
			continue
		}
		if h.Found {
			return e.On(id), nil
		}
		if joined == nil && up.Runs(model.APIServer) {
			joined = e.On(id)
		}
	}
	if joined == nil {
		return nil, errors.New("the files that the control plane's volumes show are taken from another control plane, and none answers: " +
			"bring one back, then apply again")
	}
	return joined, nil
}

// carry reads files, and those of folders, from a host.
func carry(ctx context.Context, from host.Host, to model.HostID, paths []string) (files []host.File, err error) {
	out, err := host.Output(ctx, from, host.Script{What: "find what volumes show", Text: `for p; do
	[ -e "$p" ] || { echo "absent 0 $p"; continue; }
	find -L "$p" -xdev -type f -exec stat -L -c '%a %s %n' {} + | head -n 65
done`, Args: paths})
	if err != nil {
		return nil, err
	}
	total := 0
	for line := range strings.Lines(out) {
		w := strings.SplitN(strings.TrimSpace(line), " ", 3)
		if len(w) < 3 {
			continue
		}
		if w[0] == "absent" {
			return nil, fmt.Errorf("%s is neither on %s nor on %s, and the cluster's configuration shows it to the control plane: make it on "+
				"the first, or take the volume out of kubeadm's configuration, then apply again; nothing was changed on the second",
				w[2], from.Name(), to)
		}
		mode, err := strconv.ParseUint(w[0], 8, 32)
		size, errSize := strconv.Atoi(w[1])
		if err := errors.Join(err, errSize); err != nil {
			return nil, host.Errorf(from.Name(), "read the list of %s: %w", strings.Join(paths, ", "), err)
		}
		if mode == 0 {
			mode = 0o600 // host.File takes 0 for its default, which all may read
		}
		if total += size; total > carryBytes || len(files) == carryFiles {
			return nil, fmt.Errorf("%s hold more than %d files or %d bytes, too much to be configuration: bring what belongs there to %s yourself, "+
				"then apply again; nothing was changed there", strings.Join(paths, ", "), carryFiles, carryBytes, to)
		}
		content, err := from.ReadFile(ctx, w[2])
		if err != nil {
			return nil, err
		}
		files = append(files, host.File{Path: w[2], Content: content, Mode: uint32(mode), Secret: true})
	}
	return files, nil
}
