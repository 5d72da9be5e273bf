package observe

import (
	"cmp"
	"fmt"
	"net"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"quorate.dev/quorate/internal/addon"
	"quorate.dev/quorate/internal/goal"
	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/pki"
	"quorate.dev/quorate/internal/spec"
	"quorate.dev/quorate/internal/workload"
)

// assemble joins what was seen to a cluster. It is pure.
func assemble(g *goal.Goal, o *Observation, now time.Time) model.Cluster {
	c := model.New(g.Want.Name)
	c.Adopted = g.Want.Adopted
	keys := readKeys(g, o.Facts, o.former)
	if o.Shared, c.Conflict = keys.shared, keys.conflict; keys.conflict != "" {
		o.Shared = nil // nothing is issued from either
	}
	if c.Conflict == "" {
		c.Conflict = o.Etcd.conflict
	}
	c.CAsCreated = keys.minted(g)
	for id, f := range o.Facts {
		h := model.Host{}
		if w, wanted := g.Want.Hosts[id]; wanted {
			h.Roles, h.Address, h.PodCIDR = w.Roles, w.Address, w.PodCIDR
		}
		_, wanted := g.Want.Hosts[id]
		if h.Found = hostOf(g, id).Found; !wanted {
			h.Found = o.API.found(g.File, id) && !f.ours()
		}
		if f.Err != nil {
			h = unreached(h, host.Reason(f.Err, string(id)))
			if _, left := o.API.Left(id); !wanted && !left {
				h.Clean = model.Is(true) // a ghost: only others name it, and there is nothing of it to clean
			}
		} else if !wanted && f.Marker != "" && f.Marker != g.Want.Name {
			h = unreached(h, fmt.Sprintf("it belongs to the cluster %q now", f.Marker))
			h.Clean = model.Is(true)
		} else {
			seen(&h, g, o, id, f, keys, now)
		}
		h.Etcd.Member = o.Etcd.member(id, f)
		h.Node = o.API.node(g, id, c.CAsCreated)
		h.Departed = o.API.noted(id, c.CAsCreated)
		c.Put(id, h)
	}
	c.Published = o.API.published(c.CAsCreated)
	o.held(g, &c)
	unheardPast(&c)
	for name := range g.Want.Addons {
		switch {
		case o.API.Err == nil && c.Adopted && name == addon.AddonKubeadm:
			c.Addons[name] = o.enteredSANs(g)
		case o.API.Err == nil && c.Adopted && name == addon.AddonKubeProxy: // of it only the server is compared
			c.Addons[name] = model.Valid(workload.AsFound)
		case o.API.Err == nil && o.API.Addons != nil:
			c.Addons[name] = model.Is(o.API.Addons[name])
		case c.CAsCreated.Is(false):
			c.Addons[name] = model.NotInstalled()
		default:
			c.Addons[name] = model.Unknown[model.Installed]("no API server answers")
		}
	}
	return c
}

func unreached(h model.Host, why string) model.Host {
	h.Reached = model.Unknown[bool](why)
	h.Keys = model.Unknown[model.Keys](why)
	h.Obstacle = model.Unknown[string](why)
	h.Etcd.Healthy = model.Is(false) // what does not answer us may answer others; down is the worse case
	h.Ready = model.Is(false)
	return h
}

func seen(h *model.Host, g *goal.Goal, o *Observation, id model.HostID, f Facts, keys keyring, now time.Time) {
	want := hostOf(g, id)
	h.Reached = model.Is(true)
	what, left := obstacle(g, o, id, f), leftOut(g, o, id, f)
	if h.Roles != 0 && !h.Roles.Has(model.ControlPlane) && !h.Roles.Has(model.EtcdHost) {
		what, left = "", cmp.Or(what, left) // a worker's word stops nobody else
	}
	h.Obstacle, h.LeftOut = model.Is(what), left
	h.Packages = model.Is(model.SetOf(f.Lacks...))
	h.System = system(want, f)
	h.Binaries = programs(want, f)
	h.Images = model.Is(model.SetOf(slices.DeleteFunc(slices.Clone(want.Images),
		func(i string) bool { return !slices.Contains(f.Images, i) })...))
	if f.ImagesErr != "" && len(want.Images) > 0 {
		h.Images = model.Unknown[model.Set[string]](f.ImagesErr)
	}
	h.Keys = model.Is(keys.state(want.Node, id, f))
	h.Certs = certs(want, keys, f, now)
	h.Etcd.Data, h.Etcd.Bootstrapped = model.Is(f.Data), model.Is(f.Bootstrapped) // data alone: it may be a bootstrap that was cut short
	if etcd := want.Services[model.Etcd]; etcd != nil && etcd.Made != nil && (f.EtcdHealth || f.Services[model.APIServer].Manifest != "") {
		h.Etcd.Bootstrapped = model.Is(true) // an API server is installed only once etcd has quorum
	}
	h.Etcd.DataLost = f.EtcdDataLost && f.Data
	h.Etcd.Fenced, h.Etcd.Superseded = o.Named(g, f.Fence), model.SetOf(f.supersededIDs()...)
	h.Etcd.Recovery = o.recoveryState(id, f)
	h.Etcd.Healthy = model.Is(f.EtcdHealth || f.EtcdLocal && o.Etcd.Learners[id])
	h.Ready = model.Is(f.Readyz)
	for v := range model.NumComponents {
		h.Components[v] = service(want.Services[v], v, f)
	}
	if why := o.refused(f, want); why != "" {
		h.Components[model.Kubelet].Running = model.Is("").Because(why)
	}
	clientsOf(h, g, id, f)
	h.Named = model.Is(g.Named(f.HostsBlock))
	if h.ProxyServer.Or("") != "" && g.File.Spec.LoadBalancer.Kind == spec.ExternalBalancer {
		h.ProxyServer = o.outsideProxy(g, f)
	}
	if t, tried := o.Tried[id]; tried && h.Roles.Node() {
		h.EndpointUp = t.answers()
	}
	h.EtcdSilent = model.Is(o.Named(g, f.EtcdSilent))
	o.ways(h, g, id, f)
	h.Clean = model.Is(f.Marker == "" && len(f.Links) == 0 && !f.Data)
	if g.Want.Adopted {
		h.Marked = model.Is(f.Marker != "")
	}
	if h.Found && !want.Found { // it left the file with others' components on it
		if f.Server != "" {
			h.Clean = model.Is(false)
		}
		if h.Clean.Is(true) { // a runtime and packages that stay are its owner's
			for v := range h.Components {
				h.Components[v] = model.ComponentState{Disk: model.Is(""), Running: model.Is("")}
			}
		}
	}
}

// rootOwns is the owner of all files but services' copies.
const rootOwns = "root:root"

// service compares what lies on the disk and what runs with what is wanted.
func service(want *workload.Service, v model.Component, f Facts) model.ComponentState {
	u := f.Services[v]
	out := model.ComponentState{Disk: model.Is(""), Running: model.Is(""), Version: u.Version}
	if want != nil && want.Found {
		if u.Installed {
			out.Disk = model.Is(workload.AsFound)
		}
	} else if want != nil && want.Made != nil {
		out.Disk = model.Is(want.FoundDisk(u, f.Sums))
	} else if want != nil {
		sums, any := map[string]string{}, false
		for _, file := range want.Rendered() {
			sums[file.Path] = f.Sums[file.Path]
			any = any || sums[file.Path] != ""
			if m, known := f.Modes[file.Path]; known && sums[file.Path] != "" && (m.Bits&^file.Perm() != 0 || m.Owner != rootOwns) {
				sums[file.Path] += " open to others"
			}
			if want.Argv != nil && file.Path == want.Path() && sums[file.Path] == goal.Sum(file.Content) {
				out.Version = want.Version // the definition names the image
			}
		}
		for _, c := range want.Copies {
			sums[c.To] = want.Seen(c, f.Sums, f.Modes)
		}
		if any {
			disk := workload.DiskDigest(sums)
			if u.Boot != "enabled" {
				disk += "-" + u.Boot
			}
			out.Disk = model.Is(disk)
		}
	} else if u.Installed {
		out.Disk = model.Is("present")
	}
	out.Pod = u.Pod && u.Installed
	switch {
	case u.Up && want != nil && want.Found:
		out.Running = model.Is(workload.AsFound)
	case u.Up && want != nil && (want.Argv != nil || want.Made != nil):
		// Where it cannot be told that is no reason to restart; nor is the reason
		// part of the value, or the step that started it would never be done.
		out.Running = model.Is(want.Stamp())
		if has := want.HasRead(u, f.Sums); has.Is(false) {
			out.Running = model.Is("older").Because(has.Why())
		}
	case u.Up:
		out.Running = model.Is(cmp.Or(u.Read, "not ours"))
	case u.CrashLooping:
		out.Running = out.Running.Because("is crash-looping")
	case u.Young:
		out.Running = out.Running.Because("started a moment ago and may still exit")
	}
	return out
}

func system(want *goal.Host, f Facts) model.Known[model.Installed] {
	if want.Found {
		if want.System.HostsBlock == "" {
			return want.System.Found()
		}
		return model.Valid(workload.DiskDigest(map[string]string{goal.HostsPath: f.HostsSum}))
	}
	sums := map[string]string{}
	any := false
	for path := range want.System.Sums() {
		sums[path] = f.Sums[path]
		if path == goal.HostsPath {
			sums[path] = f.HostsSum
		} else if sums[path] != "" {
			any = true
		}
	}
	if !any {
		return model.NotInstalled()
	}
	digest := workload.DiskDigest(sums)
	for k, v := range want.System.Sysctls {
		if f.Sysctls[k] != v {
			return model.Invalid(digest).Because(fmt.Sprintf("%s is %q", k, f.Sysctls[k]))
		}
	}
	return model.Valid(digest)
}

func programs(want *goal.Host, f Facts) model.Known[string] {
	if want.Found {
		return model.Is(workload.AsFound)
	}
	sums, any := map[string]string{}, false
	var changed []string
	for at := range want.Programs {
		sums[at] = f.Links[at]
		any = any || sums[at] != ""
		if sum := f.Programs[at]; sum != "" && f.Stored[at] != "" && sum != path.Base(path.Dir(f.Stored[at])) {
			sums[at] += " changed"
			changed = append(changed, path.Base(at))
		}
	}
	if !any {
		return model.Is("")
	}
	slices.Sort(changed)
	digest := model.Is(workload.DiskDigest(sums))
	if len(changed) > 0 {
		return digest.Because(strings.Join(changed, ", ") + " changed on its disk")
	}
	return digest
}

func certs(want *goal.Host, keys keyring, f Facts, now time.Time) model.Known[model.Installed] {
	if len(want.Certs) == 0 {
		return model.NotInstalled()
	}
	var wrong []string
	found := 0
	for _, c := range want.Certs {
		pem, ok := f.Files[c.Path]
		if !ok {
			wrong = append(wrong, c.Name+" is missing, or its key")
			continue
		}
		found++
		have, err := pki.Inspect(pem, nil, keys.ca(c.Issuer, f))
		if err != nil {
			wrong = append(wrong, c.Name+": "+err.Error())
		} else if why := pki.Explain(have, c, now); why != "" {
			wrong = append(wrong, c.Name+": "+why)
		}
	}
	digest := goal.CertsDigest(want.Certs)
	switch {
	case found == 0:
		return model.NotInstalled()
	case len(wrong) > 0:
		return model.Invalid(digest).Because(strings.Join(wrong, "; "))
	}
	return model.Valid(digest)
}

// Named turns addresses, as configurations hold them, into hosts.
func (o *Observation) Named(g *goal.Goal, addresses []string) model.HostSet {
	var ids []model.HostID
	for _, a := range addresses {
		ids = append(ids, o.at(g, a))
	}
	return model.SetOf(ids...)
}

// at is the host with an internal address; an address nobody has is a host of
// that name, which nothing is known of.
func (o *Observation) at(g *goal.Goal, address string) model.HostID {
	if u, err := url.Parse(address); err == nil && u.Host != "" {
		address = u.Host
	}
	if h, _, err := net.SplitHostPort(address); err == nil {
		address = h
	}
	for id, h := range g.Hosts {
		if h.Node.Address == address {
			return id
		}
	}
	for id, f := range o.Facts {
		if slices.Contains(f.Addresses, address) && !loopback(address) { // that is everybody's
			return id
		}
	}
	return model.HostID(address)
}
