package adopt

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/url"
	"strings"

	"quorate.dev/quorate/internal/etcd"
	"quorate.dev/quorate/internal/host"
)

// Member is a member of etcd, as its own list has it.
type Member struct {
	Name, Address string
	Learner       bool
}

// askEtcd reads the member list with the certificate by which the API server of
// a host shows itself to etcd.
func askEtcd(ctx context.Context, h host.Host, seen Seen) ([]Member, error) {
	first, _, _ := strings.Cut(seen.Flag("kube-apiserver", "etcd-servers"), ",")
	u, err := url.Parse(first)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("the API server of %s names no etcd server", h.Name())
	}
	if u.Scheme != "https" {
		return nil, fmt.Errorf("etcd is asked at %s without certificates, which quorate does not do", first)
	}
	var files [3][]byte
	for i, flag := range []string{"etcd-cafile", "etcd-certfile", "etcd-keyfile"} {
		at := seen.Flag("kube-apiserver", flag)
		if at == "" {
			return nil, fmt.Errorf("the API server of %s has no --%s", h.Name(), flag)
		}
		if files[i], err = h.ReadFile(ctx, at); err != nil {
			return nil, err
		}
	}
	pair, err := tls.X509KeyPair(files[1], files[2])
	if err != nil {
		return nil, fmt.Errorf("the certificate of the API server of %s for etcd: %w", h.Name(), err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(files[0])
	c, err := etcd.Connect(ctx, h, &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12,
		ServerName: u.Hostname()}, u.Host)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	list, err := c.Members(ctx)
	if err != nil {
		return nil, err
	}
	var out []Member
	for _, m := range list {
		one := Member{Name: m.Name, Learner: m.Learner}
		if len(m.PeerURLs) > 0 {
			one.Address = etcd.HostOf(m.PeerURLs[0])
		}
		out = append(out, one)
	}
	return out, nil
}
