package etcd_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"quorate.dev/quorate/internal/component"
	"quorate.dev/quorate/internal/etcd"
	"quorate.dev/quorate/internal/layout"
	"quorate.dev/quorate/internal/pki"
	"quorate.dev/quorate/internal/topology"
	"quorate.dev/quorate/internal/workload"
)

var lay = layout.Systemd()

func endpoint(n topology.Node) string { return net.JoinHostPort(n.Address, lay.Etcd.ClientPort) }

// etcdBinary is the real etcd these tests run.
func etcdBinary(t *testing.T) string {
	t.Helper()
	if b := os.Getenv("QUORATE_ETCD"); b != "" {
		return b
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	pattern := filepath.Join(cache, "quorate/store/sha256/*/etcd")
	found, err := filepath.Glob(pattern)
	if err != nil || len(found) == 0 {
		t.Fatalf("no etcd at %s: run `make artifacts`, or name one in QUORATE_ETCD", pattern)
	}
	return found[len(found)-1]
}

// testCluster runs real members on loopback, with the flags, the environment
// and the certificates that hosts get; only the folders differ, and the
// listeners on 127.0.0.1, which all would share.
type testCluster struct {
	t      *testing.T
	binary string
	dir    string
	shared pki.Shared
	nodes  []topology.Node
}

func newTestCluster(t *testing.T, size int) *testCluster {
	t.Helper()
	shared, err := pki.NewShared(pki.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c := &testCluster{t: t, binary: etcdBinary(t), dir: t.TempDir(), shared: shared}
	// The process id keeps two runs of this test on one machine apart.
	pid := os.Getpid()
	for i := range size {
		c.nodes = append(c.nodes, topology.Node{
			Name: fmt.Sprintf("m%d", i+1), Address: fmt.Sprintf("127.%d.%d.%d", 64+pid/250%64, pid%250, i+1), Etcd: true})
	}
	return c
}

// member is one running etcd.
type member struct {
	c    *testCluster
	node topology.Node
	cmd  *exec.Cmd
	log  string
	// notify is where systemd would hear "ready".
	notify *net.UnixConn
}

func (c *testCluster) start(node topology.Node, state etcd.State, members ...topology.Node) *member {
	c.t.Helper()
	dir := filepath.Join(c.dir, node.Name)
	write := func(path string, b []byte) string {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			c.t.Fatal(err)
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			c.t.Fatal(err)
		}
		return path
	}
	ca := write(lay.PKI.EtcdCA.Cert, c.shared.EtcdCA.Cert)
	extra := map[string]string{
		"data-dir":           filepath.Join(dir, "data"),
		"listen-client-urls": lay.Etcd.ClientURL(node.Address), "listen-metrics-urls": "http://" +
			net.JoinHostPort(node.Address, lay.Etcd.MetricsPort),
		"trusted-ca-file": ca, "peer-trusted-ca-file": ca,
	}
	leaves, err := pki.Leaves(node, pki.Context{Layout: lay.PKI})
	if err != nil {
		c.t.Fatal(err)
	}
	for _, leaf := range leaves {
		cert, key, err := pki.Issue(c.shared, leaf, time.Now())
		if err != nil {
			c.t.Fatal(err)
		}
		certPath, keyPath := write(leaf.Path, cert), write(leaf.KeyPath, key)
		switch leaf.Name {
		case pki.EtcdServer:
			extra["cert-file"], extra["key-file"] = certPath, keyPath
		case pki.EtcdPeer:
			extra["peer-cert-file"], extra["peer-key-file"] = certPath, keyPath
		}
	}
	config := component.EtcdConfig{Layout: lay, Cluster: "test", Self: node, Members: members, State: state, ExtraArgs: extra}
	m := &member{c: c, node: node, log: filepath.Join(dir, "log")}
	socket := filepath.Join(dir, "notify")
	os.Remove(socket)
	if m.notify, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"}); err != nil {
		c.t.Fatal(err)
	}
	log, err := os.OpenFile(m.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		c.t.Fatal(err)
	}
	defer log.Close()
	m.cmd = exec.Command(c.binary, component.EtcdArgs(config)...)
	m.cmd.Stdout, m.cmd.Stderr = log, log
	m.cmd.Env = []string{"NOTIFY_SOCKET=" + socket, workload.StampEnv + "=test"}
	for line := range strings.Lines(component.EtcdInitialEnv(config)) {
		if !strings.HasPrefix(line, "#") {
			m.cmd.Env = append(m.cmd.Env, strings.TrimSpace(line))
		}
	}
	m.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := m.cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(m.kill)
	return m
}

// kill ends the member as a power cut would.
func (m *member) kill() {
	if m.cmd.ProcessState == nil {
		m.cmd.Process.Kill()
		m.cmd.Wait()
	}
	m.notify.Close()
	if m.c.t.Failed() {
		log, _ := os.ReadFile(m.log)
		m.c.t.Logf("%s: %s", m.node.Name, log[max(0, len(log)-3000):])
	}
}

// ready says whether etcd tells systemd that it is ready within d.
func (m *member) ready(d time.Duration) bool {
	m.notify.SetReadDeadline(time.Now().Add(d))
	buf := make([]byte, 4096)
	for {
		n, err := m.notify.Read(buf)
		if err != nil {
			return false
		}
		if strings.Contains(string(buf[:n]), "READY=1") {
			return true
		}
	}
}

// client connects as the program does, with a host that dials from here.
func (m *member) client() *etcd.Client {
	m.c.t.Helper()
	tls, err := pki.EtcdTLS(m.c.shared, time.Now())
	if err != nil {
		m.c.t.Fatal(err)
	}
	client, err := etcd.Connect(m.c.t.Context(), here(m.node.Name), tls, endpoint(m.node))
	if err != nil {
		m.c.t.Fatal(err)
	}
	m.c.t.Cleanup(func() { client.Close() })
	return client
}

// here is a host whose side is ours.
type here string

func (h here) Name() string { return string(h) }

func (h here) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, network, addr)
}

// eventually waits until f gives no error.
func eventually(t *testing.T, what string, f func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	for {
		err := f(ctx)
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s: %v", what, err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}
