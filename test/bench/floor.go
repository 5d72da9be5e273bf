package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"quorate.dev/quorate/internal/component"
	"quorate.dev/quorate/internal/etcd"
	"quorate.dev/quorate/internal/layout"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/pki"
	"quorate.dev/quorate/internal/spec"
	"quorate.dev/quorate/internal/topology"
	"quorate.dev/quorate/internal/workload"
)

const floorRow = "bare floor: 3 etcd + 3 API servers, all /readyz"

// floor starts three etcd members and three API servers as plain processes,
// with the flags that quorate renders, on addresses of the loopback interface,
// all at once: what no tool that makes such a cluster can be faster than.
func floor(ctx context.Context, b *bench) error {
	for i := range b.runs {
		b.say("floor, run %d of %d", i+1, b.runs)
		took, err := b.floorOnce(ctx)
		if err != nil {
			return err
		}
		b.add(floorRow, "s", 0, took.Seconds())
	}
	return nil
}

func (b *bench) floorOnce(ctx context.Context) (time.Duration, error) {
	dir, err := os.MkdirTemp(b.dir, "floor-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	commands, err := floorCommands(dir)
	if err != nil {
		return 0, err
	}
	begun := time.Now()
	for _, argv := range commands {
		log, err := os.Create(argv.log)
		if err != nil {
			return 0, err
		}
		wg.Add(1)
		go func() {
			defer wg.Done()
			defer log.Close()
			for ctx.Err() == nil { // as systemd would
				cmd := exec.CommandContext(ctx, argv.args[0], argv.args[1:]...)
				cmd.Env = append(os.Environ(), argv.env...)
				cmd.Stdout, cmd.Stderr = log, log
				_ = cmd.Run()
				select {
				case <-ctx.Done():
				case <-time.After(time.Second):
				}
			}
		}()
	}
	for _, n := range floorNodes() {
		if err := ready(ctx, n.Address+":"+layout.Systemd().APIServer.Port); err != nil {
			text, _ := os.ReadFile(filepath.Join(dir, n.Name, "kube-apiserver.log"))
			return 0, fmt.Errorf("%w\n%s", err, tail(string(text)))
		}
	}
	return time.Since(begun), nil
}

// ready waits until an API server answers "ok".
func ready(ctx context.Context, address string) error {
	c := &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true,
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	for {
		r, err := c.Get("https://" + address + "/readyz")
		if err == nil {
			r.Body.Close()
			if r.StatusCode == http.StatusOK {
				return nil
			}
			err = fmt.Errorf("status %s", r.Status)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w: %w", address, ctx.Err(), err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func floorNodes() (out []topology.Node) {
	for i := range 3 {
		out = append(out, topology.Node{Name: fmt.Sprintf("cp%d", i+1), Address: fmt.Sprintf("127.0.1.%d", i+1), ControlPlane: true, Etcd: true})
	}
	return out
}

// command is a program with all it needs.
type command struct {
	args, env []string
	log       string
}

func floorCommands(dir string) (out []command, err error) {
	shared, err := pki.NewShared(pki.Options{})
	if err != nil {
		return nil, err
	}
	nodes := floorNodes()
	file := spec.Default(&spec.Cluster{Spec: spec.Spec{Kubernetes: spec.Kubernetes{Version: "v1.36.3"},
		ControlPlaneEndpoint: "api.floor.lab:8443"}}, dir)
	at := layout.Systemd()
	for _, n := range nodes {
		home := filepath.Join(dir, n.Name)
		keys := home + at.Kubernetes // all runs as who calls this
		here := strings.NewReplacer(at.Private(model.Etcd), keys, at.Private(model.APIServer), keys, at.Kubernetes, keys,
			"/var/log/", home+"/var/log/")
		put := func(path string, content []byte) error {
			path = home + path
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				return err
			}
			return os.WriteFile(path, []byte(here.Replace(string(content))), 0o600)
		}
		for _, f := range shared.Files(at.PKI) {
			if err := put(f.Path, f.Content); err != nil {
				return nil, err
			}
		}
		if err := floorCerts(n, nodes, file, shared, put); err != nil {
			return nil, err
		}
		member := component.Etcd(component.EtcdConfig{Layout: at, Cluster: "floor", Self: n, Members: nodes, State: etcd.New,
			ExtraArgs: map[string]string{
				"data-dir": home + "/etcd", "listen-client-urls": at.Etcd.ClientURL(n.Address), "listen-metrics-urls": "http://" + n.Address + ":" +
					at.Etcd.MetricsPort}})
		c := component.Context{Layout: at, Cluster: "floor", Spec: file.Spec, Self: n, Nodes: nodes, APIServers: nodes, EtcdMembers: nodes}
		c.Spec.Components = map[string]spec.Component{"kube-apiserver": {ExtraArgs: map[string]spec.Values{"bind-address": {n.Address}}}}
		api, err := component.APIServer(c)
		if err != nil {
			return nil, err
		}
		for _, s := range []workload.Service{member, api} {
			cmd := command{log: filepath.Join(home, s.Name+".log")}
			for _, f := range s.Files {
				if err := put(f.Path, f.Content); err != nil {
					return nil, err
				}
				if f.Path == at.Etcd.Initial {
					cmd.env = strings.Split(strings.TrimSpace(string(f.Content)), "\n")[1:]
				}
			}
			if cmd.args, err = execLine(here.Replace(s.Unit)); err != nil {
				return nil, err
			}
			out = append(out, cmd)
		}
	}
	return out, nil
}

// floorCerts issues a host's certificates.
func floorCerts(n topology.Node, nodes []topology.Node, file *spec.Cluster, shared pki.Shared, put func(string, []byte) error) error {
	leaves, err := pki.Leaves(n, pki.Context{Layout: layout.Systemd().PKI, ControlPlanes: nodes, Endpoint: file.Spec.ControlPlaneEndpoint,
		ServiceCIDR: file.Spec.Network.ServiceCIDR})
	if err != nil {
		return err
	}
	for _, leaf := range leaves {
		cert, key, err := pki.Issue(shared, leaf, time.Now())
		if err != nil {
			return err
		}
		files, err := leaf.Files("floor", shared, cert, key)
		if err != nil {
			return err
		}
		for _, f := range files {
			if err := put(f.Path, f.Content); err != nil {
				return err
			}
		}
	}
	return nil
}

// execLine is the command of a unit, with the program from the artefact store.
func execLine(text string) ([]string, error) {
	_, line, _ := strings.Cut(text, "\nExecStart=")
	line = strings.ReplaceAll(line, "\\\n", " ")
	line, _, _ = strings.Cut(line, "\n")
	args := strings.Fields(line)
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, err
	}
	found, _ := filepath.Glob(filepath.Join(cache, "quorate", "store", "sha256", "*", filepath.Base(args[0])))
	if len(found) == 0 {
		return nil, fmt.Errorf("no %s in the artefact store; next: make artifacts", filepath.Base(args[0]))
	}
	args[0] = found[0]
	return args, nil
}
