package component_test

import (
	"slices"
	"strings"
	"testing"

	"quorate.dev/quorate/internal/component"
	"quorate.dev/quorate/internal/component/componenttest"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/spec"
	"quorate.dev/quorate/internal/workload"
)

// A service with a user of its own reads its copies and nothing of root's, every
// key among them, and no service reads another's.
func TestServicesReadCopies(t *testing.T) {
	ctx := componenttest.Prod("cp1")
	ctx.Members, ctx.Spec.Security = ctx.EtcdMembers, "restricted"
	for v, least := range map[model.Component]int{model.Etcd: 5, model.APIServer: 17, model.ControllerManager: 8, model.Scheduler: 8} {
		s, err := component.Table[v].Render(ctx)
		if err != nil {
			t.Fatal(err)
		}
		root, own := ctx.Layout.Kubernetes+"/", ctx.Layout.Private(v)+"/"
		text := strings.ReplaceAll(s.Unit, "EnvironmentFile="+ctx.Layout.Etcd.Initial, "") // systemd reads it
		for _, f := range s.Files {
			text += string(f.Content)
			if !strings.HasPrefix(f.Path, root) {
				t.Errorf("%s: %s does not lie below %s", v, f.Path, root)
			}
		}
		if strings.Contains(text, root) {
			t.Errorf("%s reads root's files:\n%s", v, text)
		}
		if s.User != ctx.Layout.Unit(v) || !strings.Contains(s.Unit, "\nUser="+s.User+"\nGroup="+s.User+"\n") {
			t.Errorf("%s runs as %q", v, s.User)
		}
		if len(s.Copies) < least {
			t.Errorf("%s has %d copies, and should have %d at least: %v", v, len(s.Copies), least, s.Copies)
		}
		for _, c := range s.Copies {
			if strings.Replace(c.To, own, root, 1) != c.From || !strings.Contains(text, c.To) {
				t.Errorf("%s: %v", v, c)
			}
		}
		for _, name := range s.Certs {
			pair := ctx.Layout.PKI.Leaf(name)
			for _, from := range []string{pair.Cert, pair.Key} {
				if !slices.Contains(s.Copies, workload.Copy{From: from, To: strings.Replace(from, root, own, 1)}) {
					t.Errorf("%s has no copy of %s", v, from)
				}
			}
		}
	}
}

// The hosts' own load balancers have one user, and a capability for ports that only
// root may listen on.
func TestDoorsShareAUser(t *testing.T) {
	for port, capability := range map[string]bool{"8443": false, "443": true} {
		ctx := builtin("cp1")
		ctx.Spec.ControlPlaneEndpoint = "api.prod.internal:" + port
		for _, v := range model.Doors {
			s, err := component.Table[v].Render(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if s.User != ctx.Layout.DoorUser || !strings.Contains(s.Unit, "\nUser="+s.User+"\nGroup="+s.User+"\n") {
				t.Errorf("%s runs as %q", v, s.User)
			}
			if strings.Contains(s.Unit, "\nAmbientCapabilities=CAP_NET_BIND_SERVICE\n") != capability ||
				strings.Contains(s.Unit, "\nCapabilityBoundingSet=\n") == capability {
				t.Errorf("%s on port %s:\n%s", v, port, s.Unit)
			}
		}
	}
}

// quorate-lb reads copies of certificates and keys, also where the cluster's lie
// elsewhere.
func TestBalancerReadsCopies(t *testing.T) {
	for _, dir := range []string{"/etc/kubernetes/pki", "/etc/ssl/k8s"} {
		ctx := builtin("cp1")
		ctx.Layout = ctx.Layout.With(map[string]string{"pki": dir}, nil, nil)
		s, err := component.Balancer(ctx)
		if err != nil {
			t.Fatal(err)
		}
		want := []workload.Copy{}
		for _, name := range []string{"apiserver-etcd-client.crt", "apiserver-etcd-client.key", "ca.crt", "etcd/ca.crt"} {
			want = append(want, workload.Copy{From: dir + "/" + name, To: ctx.Layout.Private(model.Balancer) + "/pki/" + name})
		}
		if !slices.Equal(s.Copies, want) {
			t.Errorf("copies %v, want %v", s.Copies, want)
		}
		if text := string(s.Files[0].Content); strings.Contains(text, dir) {
			t.Errorf("it reads root's files:\n%s", text)
		}
	}
}

// A mount namespace would hide a kubelet's mounts from the containers, and without
// the set-group-ID bit no volume has an fsGroup. Where others have set up the cluster,
// their mount helpers may need more than ours.
func TestKubeletMounts(t *testing.T) {
	ctx := componenttest.Prod("w1")
	ours, err := component.Kubelet(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(ours.Unit) {
		for _, makes := range []string{"Private", "Protect", "ReadOnly", "ReadWrite", "Inaccessible", "Bind", "TemporaryFileSystem",
			"RootDirectory", "MountFlags", "RestrictSUIDSGID", "NoNewPrivileges"} {
			if strings.HasPrefix(line, makes) {
				t.Errorf("the kubelet's unit has %s", line)
			}
		}
	}
	adopted := ctx
	adopted.Spec.Adopted = &spec.Adopted{}
	theirs, err := component.Kubelet(adopted)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(ours.Unit, "\nRestrictNamespaces=yes\n") || strings.Contains(theirs.Unit, "Restrict") {
		t.Errorf("ours:\n%s\nin an adopted cluster:\n%s", ours.Unit, theirs.Unit)
	}
}
