package observe

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"time"

	"sigs.k8s.io/yaml"

	"quorate.dev/quorate/internal/addon"
	"quorate.dev/quorate/internal/goal"
	"quorate.dev/quorate/internal/kubeapi"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/pki"
	"quorate.dev/quorate/internal/spec"
)

// askTime bounds the questions to one etcd member or API server: another can
// be asked in its place.
const askTime = 5 * time.Second

// APIView is what an API server says of the cluster.
type APIView struct {
	Err     error // why nobody says anything
	Through model.HostID
	Nodes   map[model.HostID]kubeapi.NodeStatus
	Moving  map[model.HostID][]kubeapi.Pod // what is still to move off nodes that leave
	Addons  map[string]model.Installed
	Names   map[string]string // the server that a document names, by the document; "": none
	// Departed are the hosts that left the file, by what the cluster keeps: of
	// the file applied last, and of those before while they are not clean.
	Departed []kubeapi.Departed
	// applied are the hosts of the file that was applied last.
	applied []string
	masters []model.HostID // the control planes of that file
	// Elsewhere are hosts of the file by the address at which the cluster knew
	// a host of that name, when that is another: maybe another machine.
	Elsewhere map[model.HostID]string
	kubeadm   []byte // kubeadm's configuration, of an adopted cluster
}

func (o *Observer) askAPI(ctx context.Context, ob *Observation, shared *pki.Shared) APIView {
	v := APIView{Err: errors.New("no API server answers"), Nodes: map[model.HostID]kubeapi.NodeStatus{},
		Moving: map[model.HostID][]kubeapi.Pod{}}
	if shared == nil {
		return v
	}
	ctx, cancel := context.WithTimeout(ctx, 12*time.Second)
	defer cancel()
	for _, id := range ob.IDs() {
		if f := ob.Facts[id]; f.Err != nil || !f.Readyz || ob.silent[id] {
			continue
		}
		err := func() error {
			ctx, cancel := context.WithTimeout(ctx, askTime)
			defer cancel()
			c, err := o.API(ctx, o.Hosts[id], shared)
			if err != nil {
				return err
			}
			return v.read(ctx, c, ob)
		}()
		if err == nil {
			v.Err, v.Through = nil, id
			return v
		}
		v.Err = fmt.Errorf("ask the API server of %s: %w", id, err)
	}
	return v
}

// read asks for everything at once, after one answer has made the connection.
func (v *APIView) read(ctx context.Context, c *kubeapi.Client, ob *Observation) error {
	nodes, err := c.Nodes(ctx)
	if err != nil {
		return err
	}
	asks := []func() error{
		func() error { return v.addons(ctx, c, ob.Goal) },
		func() error { return v.departed(ctx, c, ob.Goal.File) },
	}
	if ob.Goal.Want.Adopted {
		asks = append(asks, func() (err error) { v.kubeadm, err = c.KubeadmConfiguration(ctx); return err })
	}
	var mu sync.Mutex
	v.Names = map[string]string{}
	for doc, of := range documents(ob.Goal) {
		asks = append(asks, func() error {
			server, err := of(ctx, c)
			if err != nil {
				return nil // that one is unknown; all else that was said counts
			}
			mu.Lock()
			defer mu.Unlock()
			v.Names[doc] = server
			return nil
		})
	}
	for _, n := range nodes {
		id := model.HostID(n.Name)
		v.Nodes[id] = n
		if !n.Leaving {
			continue
		}
		asks = append(asks, func() error {
			pods, err := c.PodsOn(ctx, n.Name)
			mu.Lock()
			defer mu.Unlock()
			v.Moving[id] = pods
			return err
		})
	}
	return together(asks)
}

// together runs functions side by side; the error is that of the first that has one.
func together(calls []func() error) error {
	errs := make([]error, len(calls))
	var group sync.WaitGroup
	for i, do := range calls {
		group.Go(func() { errs[i] = do() })
	}
	group.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// addons reads which addons are applied. A workload's objects may be there while
// its pods are not.
func (v *APIView) addons(ctx context.Context, c *kubeapi.Client, g *goal.Goal) error {
	digests, err := c.AddonDigests(ctx)
	if err != nil {
		return err
	}
	v.Addons = map[string]model.Installed{}
	for name, digest := range digests {
		v.Addons[name] = model.Installed{Digest: digest, Valid: digest != ""}
	}
	for name, of := range map[string]string{addon.AddonCoreDNS: "coredns", addon.AddonMetricsServer: "metrics-server"} {
		if g.Want.Addons[name].Not(model.Installed{}) && v.Addons[name].Valid && g.Bridged() {
			if ready, want, err := c.Deployment(ctx, "kube-system", of); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			} else if err != nil || ready < v.possible(want) {
				v.Addons[name] = model.Installed{Digest: digests[name]}
			}
		}
	}
	return nil
}

// possible is how many pods of a workload can run that has at most one on each
// node: a node that is not there is not waited for with the others' addons.
func (v *APIView) possible(want int) int {
	nodes := 0
	for _, n := range v.Nodes {
		if n.Ready && !n.Unschedulable {
			nodes++
		}
	}
	return min(want, max(1, nodes))
}

// Departed reads the hosts that left the file and are not forgotten yet.
func Departed(ctx context.Context, c *kubeapi.Client, file *spec.Cluster) ([]kubeapi.Departed, error) {
	v := APIView{Nodes: map[model.HostID]kubeapi.NodeStatus{}}
	if file.Spec.Adopted != nil {
		nodes, err := c.Nodes(ctx)
		if err != nil {
			return nil, err
		}
		for _, n := range nodes {
			v.Nodes[model.HostID(n.Name)] = n
		}
	}
	err := v.departed(ctx, c, file)
	return v.Departed, err
}

// keptHosts are the hosts of a file that the cluster keeps. Nothing else of it is
// read: it may be of another version of quorate, and what cannot be read would
// hide all that the API server says.
func keptHosts(text []byte) ([]kubeapi.Departed, error) {
	var file struct {
		Spec struct {
			Adopted struct{ Hosts []string }
			Hosts   []struct {
				Name, Address string
				Roles         []string
			}
		}
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		return nil, err
	}
	var out []kubeapi.Departed
	for _, h := range file.Spec.Hosts {
		out = append(out, kubeapi.Departed{Name: h.Name, Address: h.Address, Roles: h.Roles,
			Found: slices.Contains(file.Spec.Adopted.Hosts, h.Name)})
	}
	return out, nil
}

// departed compares the file with what the cluster keeps: those that left a
// file earlier and are not seen clean, and all of the file applied last.
func (v *APIView) departed(ctx context.Context, c *kubeapi.Client, file *spec.Cluster) error {
	text, list, err := c.Kept(ctx)
	if err != nil {
		return err
	}
	v.applied, v.masters = nil, nil
	old, err := keptHosts(text)
	if err != nil {
		return fmt.Errorf("kube-system/quorate-cluster: %w", err)
	}
	for _, h := range old {
		list = append(list, h)
		v.applied = append(v.applied, h.Name)
		if slices.Contains(h.Roles, spec.RoleControlPlane) {
			v.masters = append(v.masters, model.HostID(h.Name))
		}
	}
	v.Departed, v.Elsewhere = compare(append(list, v.leftAdopted(file)...), file)
	return nil
}

// leftAdopted are the hosts of an adopted cluster that left its file before any
// was kept in the cluster: where they are the API server knows.
func (v *APIView) leftAdopted(file *spec.Cluster) (out []kubeapi.Departed) {
	if file.Spec.Adopted == nil {
		return nil
	}
	for _, name := range file.Spec.Adopted.Hosts {
		if n, there := v.Nodes[model.HostID(name)]; there && n.Address != "" {
			out = append(out, kubeapi.Departed{Name: name, Address: n.Address, Found: true})
		}
	}
	return out
}

// Named says that the file which was applied last names the host.
func (v APIView) Named(id model.HostID) bool { return slices.Contains(v.applied, string(id)) }

// Left is a host that left the file, by what the cluster keeps.
func (v APIView) Left(id model.HostID) (kubeapi.Departed, bool) {
	for _, d := range v.Departed {
		if d.Name == string(id) {
			return d, true
		}
	}
	return kubeapi.Departed{}, false
}

// found says that others have set a host up, by its name in this file or in one that
// was applied before.
func (v APIView) found(file *spec.Cluster, id model.HostID) bool {
	d, _ := v.Left(id)
	return d.Found || file.IsFound(string(id))
}

// noted says whether the cluster remembers the host as one that left.
func (v APIView) noted(id model.HostID, minted model.Known[bool]) model.Known[bool] {
	if v.Err != nil && !minted.Is(false) {
		return model.Unknown[bool](v.Err.Error())
	}
	_, left := v.Left(id)
	return model.Is(left)
}

// compare says who of the hosts that the cluster keeps is gone from the file,
// and who is in it at another address. A machine that the file has under
// another name is no leaver: it would be cleaned while it is set up.
func compare(kept []kubeapi.Departed, file *spec.Cluster) (gone []kubeapi.Departed, elsewhere map[model.HostID]string) {
	addresses, seen, elsewhere := map[string]bool{}, map[string]bool{}, map[model.HostID]string{}
	for _, h := range file.Spec.Hosts {
		addresses[h.Address] = true
	}
	for _, d := range kept {
		h, stays := file.Host(d.Name)
		switch {
		case stays && h.Address != d.Address:
			elsewhere[model.HostID(d.Name)] = d.Address
		case !stays && !addresses[d.Address] && !seen[d.Name]:
			gone = append(gone, d)
			seen[d.Name] = true
		}
	}
	return gone, elsewhere
}

// node is a host as the API knows it.
func (v APIView) node(g *goal.Goal, id model.HostID, minted model.Known[bool]) model.NodeState {
	no := model.NodeState{Registered: model.Is(false), Ready: model.Is(false), Configured: model.Is(false), Drained: model.Is(false)}
	if v.Err != nil {
		if minted.Is(false) {
			return no
		}
		u := model.Unknown[bool](v.Err.Error())
		return model.NodeState{Registered: u, Ready: u, Configured: u, Drained: u}
	}
	n, there := v.Nodes[id]
	if !there {
		return no
	}
	h := hostOf(g, id)
	settled := (h.Node.PodCIDR == "" || n.PodCIDR == h.Node.PodCIDR) && !n.Leaving
	if _, labelled := n.Labels[kubeapi.ControlPlaneLabel]; h.Node.ControlPlane && !labelled {
		settled = false
	}
	settled = settled && n.Fits(g.NodeSettings(id))
	return model.NodeState{Registered: model.Is(true), Ready: model.Is(n.Ready), Configured: model.Is(settled),
		Drained: model.Is(n.Leaving && n.Unschedulable && (n.GivenUp || len(v.Moving[id]) == 0))}
}
