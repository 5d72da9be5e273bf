package observe

import (
	"bytes"
	"context"
	"crypto/x509"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"quorate.dev/quorate/internal/goal"
	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/host/hosttest"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/topology"
	"quorate.dev/quorate/internal/workload"
)

const (
	pastEndpoint = "api.prod.example:8443"
	pastName     = "api.prod.example"
)

// pastHosts is a hosts file in which somebody has written the name, too.
var pastHosts = "127.0.0.1 localhost\n" + topology.HostsBlock(pastEndpoint, topology.Loopback, nil) + "192.0.2.99 " + pastName + "\n"

// The script finds what the hosts file will say, and changes nothing.
func TestPastScript(t *testing.T) {
	can := exec.Command("unshare", "-m", "--propagation", "private", "mount", "-t", "tmpfs", "x", "/mnt")
	if out, err := can.CombinedOutput(); err != nil {
		t.Skipf("nothing can be mounted in a namespace here: %v: %s", err, out)
	}
	before, err := os.ReadFile("/etc/hosts")
	if err != nil {
		t.Fatal(err)
	}
	mounts := func() string { b, _ := os.ReadFile("/proc/self/mounts"); return string(b) }
	mounted := mounts()
	for name, c := range map[string]struct{ block, want string }{
		"ours":          {topology.HostsBlock(pastEndpoint, topology.Loopback, nil), topology.Loopback},
		"somebody's":    {topology.HostsBlock(pastEndpoint, "", nil), "192.0.2.99"},
		"with no block": {"", "192.0.2.99"},
	} {
		cmd := exec.Command("sh", "-c", pastText, "sh", pastName)
		cmd.Stdin = strings.NewReader(topology.MergeHosts(pastHosts, c.block))
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.HasPrefix(string(out), c.want+" ") {
			t.Errorf("%s: %v: %s", name, err, out)
		}
	}
	nobody := exec.Command("sh", "-c", pastText, "sh", "nobody.invalid")
	nobody.Stdin = strings.NewReader(pastHosts)
	if out, err := nobody.CombinedOutput(); err != nil || len(out) > 0 && string(out) != "silent\n" {
		t.Errorf("a name that leads nowhere: %v: %s", err, out)
	}
	if after, err := os.ReadFile("/etc/hosts"); err != nil || !bytes.Equal(before, after) || mounts() != mounted {
		t.Errorf("the host has changed: %v", err)
	}
	none := exec.Command("/bin/sh", "-c", pastText, "sh", pastName)
	none.Env = []string{"PATH=/nowhere"}
	if out, err := none.CombinedOutput(); err == nil || !strings.Contains(string(out), "install util-linux") {
		t.Errorf("without unshare: %v: %s", err, out)
	}
}

// pastObservation is of a cluster that is to leave its own load balancers. Facts are
// of cp1, from which the endpoint is tried.
func pastObservation(t *testing.T, f Facts) *Observation {
	t.Helper()
	if f.HostsBlock == "" {
		f.HostsBlock = topology.HostsBlock(pastEndpoint, topology.Loopback, nil)
	}
	f.Addresses = []string{"127.0.0.1", "192.0.2.1"}
	door := map[model.Component]workload.State{model.FrontDoor: {Up: true}}
	return &Observation{Goal: outsideGoal(t, pastEndpoint), Facts: map[model.HostID]Facts{"cp1": f, "cp2": {Services: door}}}
}

// What is tried, and what is said, while the name leads to quorate's load balancer.
func TestTryPast(t *testing.T) {
	closes := serving(t, func(net.Conn) {})
	vip := topology.HostsBlock(pastEndpoint, "192.0.2.100", nil)
	for name, c := range map[string]struct {
		facts  Facts
		leads  string
		exit   string // why the script fails
		says   string
		silent bool
		err    bool
	}{
		"it is there":              {leads: "192.0.2.99 STREAM\n192.0.2.99 DGRAM\n", says: "nothing that answers stands behind it"},
		"of two the first refuses": {leads: "192.0.2.98 STREAM\n192.0.2.99 STREAM\n", says: "refuses connections"},
		"a name that is nowhere":   {leads: "", says: "leads nowhere", silent: true},
		"the host itself":          {leads: "192.0.2.1 STREAM\n", says: "would lead to the host itself (192.0.2.1)"},
		"loopback":                 {leads: "::1 STREAM\n", says: "would lead to the host itself (::1)"},
		"mapped loopback":          {leads: "::ffff:127.0.1.1 STREAM\n", says: "would lead to the host itself (127.0.1.1)"},
		"one of two is the host":   {leads: "192.0.2.99 STREAM\n127.0.0.1 STREAM\n", says: "would lead to the host itself"},
		"another's front door":     {leads: "192.0.2.2 STREAM\n", says: "quorate's load balancer on cp2 (192.0.2.2:8443)"},
		"the virtual address": {facts: Facts{HostsBlock: vip}, leads: "192.0.2.100 STREAM\n",
			says: "the virtual address of quorate's load balancers (192.0.2.100)"},
		"no unshare":   {exit: "unshare is not there; install util-linux", says: "install util-linux", err: true},
		"DNS is mute":  {leads: "silent\n", says: "its DNS does not answer", err: true},
		"what is said": {leads: "$(reboot) STREAM\n-f\n", says: "leads nowhere", silent: true},
		"another name": {facts: Facts{HostsBlock: topology.HostsBlock("old.example:8443", topology.Loopback, nil)},
			says: "is to take the place of old.example together"},
		"another port": {facts: Facts{Server: "https://api.prod.example:6444"}, says: "is to take the place of api.prod.example:6444 together"},
	} {
		h := hosttest.New("cp1")
		h.Put(goal.HostsPath, pastHosts)
		h.DialTo("tcp", "192.0.2.99:8443", "tcp", closes)
		h.DialTo("tcp", "192.0.2.98:8443", "tcp", "127.0.0.1:1")
		h.Handle(func(_ context.Context, _ host.Cmd, in []byte) (host.Result, error) {
			if c.exit != "" {
				return host.Result{}, &host.ExitError{Host: "cp1", Code: 1, Stderr: c.exit}
			}
			if strings.Contains(string(in[bytes.LastIndex(in, []byte("127.0.0.1 localhost")):]), "127.0.0.1 "+pastName) {
				t.Errorf("%s: quorate's own line is still there", name)
			}
			return hosttest.Framed(in, "output", c.leads)
		}, "sh")
		got := pastObservation(t, c.facts).try(t.Context(), h, "cp1", x509.NewCertPool())
		why := got.Why
		if got.Err != nil {
			why = got.Err.Error()
		}
		if !got.Past || got.Answers || got.Silent != c.silent || (got.Err != nil) != c.err || !strings.Contains(why, c.says) {
			t.Errorf("%s: %+v", name, got)
		}
		if up := got.answers(); !up.Is(false) {
			t.Errorf("%s is told as %v", name, up)
		}
	}
}

// Where the block does not name the endpoint, nothing is looked up.
func TestTryWithoutBlock(t *testing.T) {
	h := hosttest.New("cp1")
	h.DialTo("tcp", pastEndpoint, "tcp", serving(t, func(net.Conn) {}))
	got := pastObservation(t, Facts{HostsBlock: topology.HostsBlock(pastEndpoint, "", nil)}).try(t.Context(), h, "cp1", x509.NewCertPool())
	if got.Past || len(h.Ran()) > 0 || !strings.Contains(got.Why, "closes connections") {
		t.Errorf("%+v, %q", got, h.Ran())
	}
}

// While nothing serves, nothing is known of the other balancer; where a kube-proxy
// still goes by quorate's is.
func TestOutsideFacts(t *testing.T) {
	o := pastObservation(t, Facts{Services: map[model.Component]workload.State{model.FrontDoor: {Up: true}},
		ProxyPeers: []string{"127.0.0.1:8443"}})
	o.Tried = map[model.HostID]Tried{"cp1": {Past: true, Why: "refuses connections"}}
	c := assemble(o.Goal, o, time.Now())
	if h := c.Hosts["cp1"]; h.EndpointUp.Known() || !h.Named.Is(model.LocalBalancer) {
		t.Errorf("the endpoint is told as %v, its name as %v", h.EndpointUp, h.Named)
	}
	if got := o.outsideProxy(o.Goal, o.Facts["cp1"]); !got.Is("127.0.0.1:8443") {
		t.Errorf("kube-proxy: %v", got)
	}
	if got := o.outsideProxy(o.Goal, Facts{ProxyPeers: []string{"127.0.0.1:8443"}}); got.Known() {
		t.Errorf("a loopback address of others counts as quorate's: %v", got)
	}
}

// Beside quorate's line somebody's own may give the name: it leads to both, and to
// quorate's as long as that stands there.
func TestWayBesideAnotherLine(t *testing.T) {
	f := Facts{Server: "https://" + pastEndpoint, Resolved: []string{topology.Loopback, "192.0.2.99"}}
	for block, want := range map[string]model.WayKind{
		topology.HostsBlock(pastEndpoint, topology.Loopback, nil): model.LocalBalancer,
		topology.HostsBlock(pastEndpoint, "", nil):                model.SharedBalancer,
	} {
		f.HostsBlock = block
		o := pastObservation(t, f)
		if got := o.apiWay(o.Goal, "cp2", f); got.Or(model.Way{}).Kind != want {
			t.Errorf("with %q it goes by %v, not %v", block, got, want)
		}
	}
}
