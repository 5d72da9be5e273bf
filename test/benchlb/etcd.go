package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"quorate.dev/quorate/internal/balancer/config"
	"quorate.dev/quorate/internal/balancer/lbtest"
)

const (
	writes    = 2000
	startTime = 2 * time.Minute
)

// writeLatency compares writes to two API servers on this machine, of which one
// asks an etcd directly and the other through quorate-lb. programs is a folder
// with etcd and kube-apiserver. They are written to in turn.
func writeLatency(o options, programs string) (err error) {
	dir, err := os.MkdirTemp("", "benchlb")
	if err != nil {
		return err
	}
	b := &bed{dir: dir}
	defer b.close()
	if b.certs, err = lbtest.NewCertificates(dir); err != nil {
		return err
	}
	direct, err := b.startEtcd(filepath.Join(programs, "etcd"))
	if err != nil {
		return err
	}
	through, err := b.startWay(o.lb, direct)
	if err != nil {
		return err
	}
	client := &http.Client{Transport: &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{
		RootCAs: b.certs.Pool, Certificates: []tls.Certificate{b.certs.Certificate}}}}
	var servers []string
	for i, etcd := range []string{direct, through} {
		at, err := b.startAPI(filepath.Join(programs, "kube-apiserver"), etcd, client)
		if err != nil {
			return err
		}
		if err := write(client, at, http.MethodPost, "", i); err != nil {
			return err
		}
		servers = append(servers, at)
	}
	var took [2][]time.Duration
	for n := range writes {
		for i := range servers {
			i = (i + n) % 2
			begun := time.Now()
			if err := write(client, servers[i], http.MethodPatch, strconv.Itoa(n), i); err != nil {
				return err
			}
			took[i] = append(took[i], time.Since(begun))
		}
	}
	for i := range took {
		slices.Sort(took[i])
	}
	at := func(i, percent int) time.Duration { return took[i][writes*percent/100] }
	fmt.Printf("median of %d writes: direct %.3f ms, through quorate-lb %.3f ms: %.3f; 90th percentile %.3f and %.3f ms: %.3f\n", writes,
		micros(at(0, 50))/1e3, micros(at(1, 50))/1e3, float64(at(1, 50))/float64(at(0, 50)),
		micros(at(0, 90))/1e3, micros(at(1, 90))/1e3, float64(at(1, 90))/float64(at(0, 90)))
	return nil
}

// write creates or changes the object of one of the servers.
func write(client *http.Client, at, method, value string, i int) error {
	name := "bench-" + strconv.Itoa(i)
	path, body := "", fmt.Sprintf(`{"metadata":{"name":%q},"data":{"n":%q}}`, name, value)
	if method == http.MethodPatch {
		path = "/" + name
	}
	req, err := http.NewRequest(method, "https://"+at+"/api/v1/namespaces/default/configmaps"+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	kind := "application/json"
	if method == http.MethodPatch {
		kind = "application/merge-patch+json"
	}
	req.Header.Set("Content-Type", kind)
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode >= 300 {
		err = fmt.Errorf("%s: %s: %s", at, resp.Status, text)
	}
	return err
}

// launch starts a program and waits until ok, or says what it wrote.
func (b *bed) launch(ok func() error, program string, args ...string) error {
	var log bytes.Buffer
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		return err
	}
	b.running = append(b.running, cmd)
	var err error
	for end := time.Now().Add(startTime); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if err = ok(); err == nil {
			return nil
		}
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	b.running = b.running[:len(b.running)-1]
	return fmt.Errorf("%s does not work: %w:\n%s", filepath.Base(program), err, log.Bytes()[max(0, log.Len()-2000):])
}

func (b *bed) startEtcd(program string) (at string, err error) {
	peer, err := lbtest.FreePort()
	if err != nil {
		return "", err
	}
	if at, err = lbtest.FreePort(); err != nil {
		return "", err
	}
	return at, b.launch(func() error { return b.etcd(at, func(*clientv3.Client) error { return nil }) }, program,
		"--data-dir="+filepath.Join(b.dir, "etcd"), "--listen-client-urls=https://"+at, "--advertise-client-urls=https://"+at,
		"--listen-peer-urls=http://"+peer, "--initial-advertise-peer-urls=http://"+peer, "--initial-cluster=default=http://"+peer,
		"--cert-file="+b.certs.Cert, "--key-file="+b.certs.Key, "--trusted-ca-file="+b.certs.CA, "--client-cert-auth")
}

// etcd asks an etcd whether it is well, and has f use it.
func (b *bed) etcd(at string, f func(*clientv3.Client) error) error {
	c, err := clientv3.New(clientv3.Config{Endpoints: []string{"https://" + at}, TLS: &tls.Config{RootCAs: b.certs.Pool,
		Certificates: []tls.Certificate{b.certs.Certificate}}, Logger: zap.NewNop()})
	if err != nil {
		return err
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if _, err := c.Get(ctx, "a"); err != nil {
		return err
	}
	return f(c)
}

func (b *bed) startWay(program, to string) (at string, err error) {
	var id string
	err = b.etcd(to, func(c *clientv3.Client) error {
		st, err := c.Status(context.Background(), "https://"+to)
		if err == nil {
			id = strconv.FormatUint(st.Header.ClusterId, 16)
		}
		return err
	})
	if err != nil {
		return "", err
	}
	if at, err = lbtest.FreePort(); err != nil {
		return "", err
	}
	text, err := config.File{Admin: config.Admin{Listen: "off"}, Ways: []config.Way{{Name: "etcd", Listen: []string{at},
		Check:    config.Check{Kind: config.KindEtcd, CA: b.certs.CA, Certificate: b.certs.Cert, Key: b.certs.Key, ClusterID: id},
		Backends: []config.Backend{{Name: "one", Address: to, Preferred: true}}}}}.Marshal()
	if err != nil {
		return "", err
	}
	path := filepath.Join(b.dir, "way.yaml")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return "", err
	}
	return at, b.launch(func() error { return b.etcd(at, func(*clientv3.Client) error { return nil }) }, program, "-config", path)
}

func (b *bed) startAPI(program, etcd string, client *http.Client) (at string, err error) {
	if at, err = lbtest.FreePort(); err != nil {
		return "", err
	}
	ready := func() error {
		resp, err := client.Get("https://" + at + "/readyz")
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return errors.New(resp.Status)
		}
		return nil
	}
	return at, b.launch(ready, program, "--etcd-servers=https://"+etcd, "--etcd-cafile="+b.certs.CA, "--etcd-certfile="+b.certs.Cert,
		"--etcd-keyfile="+b.certs.Key, "--bind-address=127.0.0.1", "--secure-port="+at[strings.LastIndex(at, ":")+1:],
		"--tls-cert-file="+b.certs.Cert, "--tls-private-key-file="+b.certs.Key, "--client-ca-file="+b.certs.CA,
		"--authorization-mode=AlwaysAllow", "--service-account-issuer=https://bench", "--service-account-key-file="+b.certs.Key,
		"--service-account-signing-key-file="+b.certs.Key, "--service-cluster-ip-range=10.96.0.0/16")
}
