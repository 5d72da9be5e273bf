package addon

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"quorate.dev/quorate/internal/component"
	"quorate.dev/quorate/internal/component/componenttest"
	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/host/hosttest"
	"quorate.dev/quorate/internal/pki"
	"quorate.dev/quorate/internal/spec"
	"quorate.dev/quorate/internal/topology"
)

// here brings a text of a host into the test's folder and onto its address.
func (l *live) here(text string) string {
	return strings.NewReplacer("/etc/kubernetes", l.dir+"/etc/kubernetes", "/var/lib/quorate", l.dir+"/var/lib/quorate",
		"/var/log/", l.dir+"/var/log/",
		"https://127.0.0.1:6443", "https://"+liveAddress+":6443").Replace(text)
}

func (l *live) write(t *testing.T, f host.File) string {
	return l.put(t, f.Path, l.here(string(f.Content)))
}

func (l *live) put(t *testing.T, path, text string) string {
	path = l.dir + path
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func startLive(t *testing.T) *live {
	l := &live{dir: t.TempDir(), host: hosttest.New("cp1")}
	l.host.DialTo("tcp", "127.0.0.1:6443", "tcp", liveAddress+":6443")
	for _, b := range []string{"etcd", "kubectl", "kube-apiserver", "kube-controller-manager", "kube-scheduler"} {
		componenttest.Binary(t, b)
	}
	self := topology.Node{Name: "cp1", Address: liveAddress, ControlPlane: true, Etcd: true}
	l.ctx = componenttest.Prod("cp1")
	l.ctx.Self, l.ctx.EtcdMembers = self, []topology.Node{self}
	l.ctx.Spec.Security = "baseline"
	l.ctx.Spec.Components = map[string]spec.Component{
		"kube-apiserver":          {ExtraArgs: map[string]spec.Values{"bind-address": {liveAddress}, "shutdown-delay-duration": {"0s"}}},
		"kube-controller-manager": {ExtraArgs: map[string]spec.Values{"bind-address": {liveAddress}}},
		"kube-scheduler":          {ExtraArgs: map[string]spec.Values{"bind-address": {liveAddress}}},
	}
	var err error
	if l.shared, err = pki.NewShared(pki.Options{}); err != nil {
		t.Fatal(err)
	}
	for _, f := range l.shared.Files(l.ctx.Layout.PKI) {
		l.write(t, f)
	}
	leaves, err := pki.Leaves(self, pki.Context{Layout: l.ctx.Layout.PKI, ControlPlanes: []topology.Node{self},
		Endpoint: l.ctx.Spec.ControlPlaneEndpoint, ServiceCIDR: l.ctx.Spec.Network.ServiceCIDR})
	if err != nil {
		t.Fatal(err)
	}
	for _, leaf := range leaves {
		cert, key, err := pki.Issue(l.shared, leaf, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		l.write(t, host.File{Path: leaf.Path, Content: cert})
		l.write(t, host.File{Path: leaf.KeyPath, Content: key})
	}
	p := l.dir + "/etc/kubernetes/pki/etcd/"
	l.start(t, "etcd", "--name=cp1", "--data-dir="+l.dir+"/etcd", "--unsafe-no-fsync", "--client-cert-auth",
		"--cert-file="+p+"server.crt", "--key-file="+p+"server.key", "--trusted-ca-file="+p+"ca.crt",
		"--listen-client-urls=https://"+liveAddress+":2379", "--advertise-client-urls=https://"+liveAddress+":2379",
		"--listen-peer-urls=http://"+liveAddress+":2380", "--initial-advertise-peer-urls=http://"+liveAddress+":2380",
		"--initial-cluster=cp1=http://"+liveAddress+":2380")
	for _, render := range []component.Renderer{component.APIServer, component.ControllerManager, component.Scheduler} {
		s, err := render(l.ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range s.Files {
			l.write(t, f.File)
		}
		for _, c := range s.Copies {
			text, err := os.ReadFile(l.dir + c.From)
			if err != nil {
				t.Fatal(err)
			}
			l.put(t, c.To, string(text))
		}
		_, line, _ := strings.Cut(s.Unit, "ExecStart="+l.ctx.Layout.Program(s.Name)+" \\\n")
		line, _, _ = strings.Cut(line, "\nRestart=")
		l.start(t, s.Name, strings.Fields(strings.ReplaceAll(l.here(line), "\\\n", " "))...)
	}
	return l
}

// start runs a program until the test ends, again whenever it stops, as
// systemd would.
func (l *live) start(t *testing.T, name string, args ...string) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	log, err := os.Create(l.dir + "/" + name + ".log")
	if err != nil {
		t.Fatal(err)
	}
	bin := componenttest.Binary(t, name)
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			cmd := exec.CommandContext(ctx, bin, args...)
			cmd.Stdout, cmd.Stderr = log, log
			_ = cmd.Run()
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-done
		if t.Failed() {
			text, _ := os.ReadFile(log.Name())
			t.Logf("%s: …%s", name, text[max(0, len(text)-3000):])
		}
		log.Close()
	})
}
