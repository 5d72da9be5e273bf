package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"sigs.k8s.io/yaml"
)

const (
	labName = "faults"
	configs = "/api/v1/namespaces/default/configmaps"
	object  = "faults"
	onHost  = "/root/faults-client"
)

// cluster is one on lab hosts, with the client's program on each.
type cluster struct {
	*bench
	file      string
	ca, cert  []byte
	key       []byte
	server    string // the endpoint's name
	addresses map[string]string
}

func (b *bench) command(ctx context.Context, stdin io.Reader, argv ...string) (string, error) {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	var stderr bytes.Buffer
	cmd.Stdin, cmd.Stderr = stdin, &stderr
	out, err := cmd.Output()
	if err != nil {
		return string(out), fmt.Errorf("%s: %w\n%s", strings.Join(argv, " "), err, strings.TrimSpace(stderr.String()))
	}
	return string(out), nil
}

func (c *cluster) exec(ctx context.Context, host string, stdin io.Reader, argv ...string) (string, error) {
	return c.command(ctx, stdin, append([]string{c.quorate, "lab", "exec", labName + "/" + host, "--"}, argv...)...)
}

func (c *cluster) down(ctx context.Context) {
	if _, err := c.command(ctx, nil, c.quorate, "lab", "down", labName); err != nil {
		c.say("%v", err)
	}
}

func (b *bench) cluster(ctx context.Context, client string) (*cluster, error) {
	c := &cluster{bench: b, file: filepath.Join(b.dir, labName+".yaml"), addresses: map[string]string{}}
	b.say("%s: a lab of 3 control planes and a worker", b.kind.name)
	c.down(ctx)
	if _, err := b.command(ctx, nil, b.quorate, "lab", "up", labName, "--control-planes", "3", "--workers", "1", "--dir", b.dir); err != nil {
		return nil, err
	}
	err := c.create(ctx, client)
	if err != nil {
		c.down(context.WithoutCancel(ctx))
	}
	return c, err
}

func (c *cluster) create(ctx context.Context, client string) error {
	if err := c.write(); err != nil {
		return err
	}
	list, err := c.command(ctx, nil, c.quorate, "lab", "list")
	if err != nil {
		return err
	}
	for line := range strings.Lines(list) {
		if f := strings.Fields(line); len(f) > 1 && strings.HasPrefix(f[0], labName+"/") {
			c.addresses[strings.TrimPrefix(f[0], labName+"/")] = f[1]
		}
	}
	if err := c.converge(ctx); err != nil {
		return err
	}
	if err := c.credentials(ctx); err != nil {
		return err
	}
	program, err := os.ReadFile(client)
	if err != nil {
		return err
	}
	for host := range c.addresses {
		if _, err := c.exec(ctx, host, bytes.NewReader(program), "sh", "-c", "cat >"+onHost+" && chmod 755 "+onHost); err != nil {
			return err
		}
	}
	if _, err = c.kubectl(ctx, "cp1", "create", "configmap", object, "--from-literal=at=0"); err != nil {
		return err
	}
	return c.kind.begin(ctx, c)
}

// write puts what the kind needs into the cluster file.
func (c *cluster) write() error {
	text, err := os.ReadFile(c.file)
	if err != nil {
		return err
	}
	var file map[string]any
	if err := yaml.Unmarshal(text, &file); err != nil {
		return err
	}
	spec, ok := file["spec"].(map[string]any)
	if !ok {
		return fmt.Errorf("%s has no spec", c.file)
	}
	c.kind.spec(spec)
	if text, err = yaml.Marshal(file); err != nil {
		return err
	}
	return os.WriteFile(c.file, text, 0o600)
}

// converge applies until there is nothing left to do.
func (c *cluster) converge(ctx context.Context) error {
	var err error
	for range 4 {
		if _, err = c.command(ctx, nil, c.quorate, "apply", "-f", c.file, "--yes"); err == nil {
			return nil
		}
	}
	return err
}

func (c *cluster) kubectl(ctx context.Context, host string, argv ...string) (string, error) {
	config := filepath.Join(c.dir, "kubeconfig")
	text, err := os.ReadFile(config)
	if err != nil {
		return "", err
	}
	if _, err := c.exec(ctx, host, bytes.NewReader(text), "sh", "-c", "umask 077; cat >/run/faults.kubeconfig"); err != nil {
		return "", err
	}
	return c.exec(ctx, host, nil, append([]string{"/opt/quorate/bin/kubectl", "--kubeconfig=/run/faults.kubeconfig",
		"--server=https://127.0.0.1:6443",
		"--request-timeout=5s"}, argv...)...)
}

// credentials takes a client certificate out of a kubeconfig.
func (c *cluster) credentials(ctx context.Context) error {
	path := filepath.Join(c.dir, "kubeconfig")
	_ = os.Remove(path)
	if _, err := c.command(ctx, nil, c.quorate, "kubeconfig", "-f", c.file, "--host", "cp1", "--to", path); err != nil {
		return err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var k struct {
		Clusters []struct {
			Cluster struct {
				CA     string `json:"certificate-authority-data"`
				Server string `json:"tls-server-name"`
			} `json:"cluster"`
		} `json:"clusters"`
		Users []struct {
			User struct {
				Cert string `json:"client-certificate-data"`
				Key  string `json:"client-key-data"`
			} `json:"user"`
		} `json:"users"`
	}
	if err := yaml.Unmarshal(text, &k); err != nil || len(k.Clusters) != 1 || len(k.Users) != 1 {
		return fmt.Errorf("read the kubeconfig of the cluster: %v", err)
	}
	c.server = k.Clusters[0].Cluster.Server
	for _, f := range []struct {
		to   *[]byte
		from string
	}{{&c.ca, k.Clusters[0].Cluster.CA}, {&c.cert, k.Users[0].User.Cert}, {&c.key, k.Users[0].User.Key}} {
		if *f.to, err = base64.StdEncoding.DecodeString(f.from); err != nil {
			return err
		}
	}
	return nil
}

// notReady are the nodes, but for the broken one, that are not Ready or were not for
// a moment since then: each change has its time. To ask all the while would cost
// more than the clients do.
func (c *cluster) notReady(ctx context.Context, from, broken string, since time.Time) (out []string, err error) {
	const ready = `{.status.conditions[?(@.type=="Ready")]`
	var list string
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Second) {
		list, err = c.kubectl(ctx, from, "get", "nodes", "-o",
			`jsonpath={range .items[*]}{.metadata.name} `+ready+`.status} `+ready+`.lastTransitionTime}{"\n"}{end}`)
		if err == nil {
			break
		} else if time.Now().After(end) {
			return nil, err
		}
	}
	for line := range strings.Lines(list) {
		w := strings.Fields(line)
		if len(w) != 3 {
			return nil, fmt.Errorf("kubectl says of a node: %q", line)
		}
		at, err := time.Parse(time.RFC3339, w[2])
		if err != nil {
			return nil, err
		}
		if w[0] != broken && (w[1] != "True" || at.After(since)) {
			out = append(out, w[0])
		}
	}
	return out, nil
}

func (c *cluster) leader(ctx context.Context) (string, error) {
	out, err := c.command(ctx, nil, c.quorate, "etcd", "status", "-f", c.file, "-o", "json")
	if err != nil {
		return "", err
	}
	var s struct {
		Members []struct{ Host, Role string }
	}
	if err := json.Unmarshal([]byte(out), &s); err != nil {
		return "", err
	}
	for _, m := range s.Members {
		if m.Role == "leader" {
			return m.Host, nil
		}
	}
	return "", fmt.Errorf("etcd has no leader")
}
