// Package kubeapi speaks to an API server through a host: nodes, drains,
// cluster objects, and what quorate keeps in the cluster. It makes none of the
// objects (package addon does) and knows nothing of steps or plans.
package kubeapi

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"quorate.dev/quorate/internal/host"
)

// callTimeout bounds one call to an API server, all its retries included.
const callTimeout = 30 * time.Second

// Credentials are how we show ourselves to an API server and know it; all PEM.
type Credentials struct{ CA, Cert, Key []byte }

// Client speaks to one API server through a host. Every error names both.
type Client struct {
	host, addr string
	ca         []byte
	Rest       *rest.RESTClient
	transport  *http.Transport
	resources  map[string]resources // by group and version, once asked
}

// Connect makes a client of the API server at addr as seen from h, such as
// 127.0.0.1:6443 on a control plane. serverName is what its certificate must
// be for; "" means addr's own host. Nothing is sent yet: ask Readyz.
func Connect(h host.Host, addr, serverName string, c Credentials) (*Client, error) {
	fail := func(err error) (*Client, error) {
		return nil, fmt.Errorf("%s: connect to the API server at %s: %w", h.Name(), addr, err)
	}
	pair, err := tls.X509KeyPair(c.Cert, c.Key)
	if err != nil {
		return fail(fmt.Errorf("client certificate: %w", err))
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(c.CA) {
		return fail(errors.New("the CA has no certificate"))
	}
	if serverName == "" {
		if serverName, _, err = net.SplitHostPort(addr); err != nil {
			return fail(err)
		}
	}
	// A transport of our own instead of rest.Config's: that one is cached for
	// the life of the process, and with it the host's connection.
	tr := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return h.Dial(ctx, "tcp", addr) },
		TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}, ServerName: serverName,
			MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout: 10 * time.Second,
		ForceAttemptHTTP2:   true,
		// A server that died silently is noticed by a ping.
		HTTP2: &http.HTTP2Config{SendPingTimeout: 10 * time.Second, PingTimeout: 5 * time.Second},
	}
	rc, err := restClient("https://"+addr, tr)
	if err != nil {
		return fail(err)
	}
	return &Client{host: h.Name(), addr: addr, ca: c.CA, Rest: rc, transport: tr, resources: map[string]resources{}}, nil
}

func restClient(url string, tr http.RoundTripper) (*rest.RESTClient, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, appsv1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	return rest.UnversionedRESTClientForConfigAndClient(&rest.Config{
		Host:          url,
		UserAgent:     "quorate",
		QPS:           -1, // no limit of ours: the server has one
		ContentConfig: rest.ContentConfig{NegotiatedSerializer: serializer.NewCodecFactory(scheme).WithoutConversion()},
	}, &http.Client{Transport: tr})
}

// Close ends the client's connections; the host stays open.
func (c *Client) Close() { c.transport.CloseIdleConnections() }

// Readyz says whether the API server is ready; the error holds the checks that
// fail.
func (c *Client) Readyz(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	body, err := c.Rest.Get().AbsPath("/readyz").Param("verbose", "").MaxRetries(0).Do(ctx).Raw()
	if err == nil {
		return nil
	}
	var failing []string
	for line := range strings.Lines(string(body)) {
		if strings.HasPrefix(line, "[-]") {
			failing = append(failing, strings.TrimSpace(strings.TrimPrefix(line, "[-]")))
		}
	}
	if len(failing) > 0 {
		err = errors.New(strings.Join(failing, "; "))
	}
	return c.failed("readiness", err)
}

// Deployment tells how many replicas of a Deployment are ready, and how many
// there should be; fs.ErrNotExist when there is none.
func (c *Client) Deployment(ctx context.Context, namespace, name string) (ready, want int, err error) {
	var d appsv1.Deployment
	if err := c.get(ctx, "/apis/apps/v1/namespaces/"+namespace+"/deployments/"+name, &d); err != nil {
		return 0, 0, err
	}
	want = 1
	if d.Spec.Replicas != nil {
		want = int(*d.Spec.Replicas)
	}
	if d.Status.ObservedGeneration < d.Generation {
		return 0, want, nil // the controller has not seen the newest yet
	}
	return int(d.Status.ReadyReplicas), want, nil
}

func (c *Client) get(ctx context.Context, path string, into runtime.Object) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return c.failed("read "+path, hedged(ctx, func(ctx context.Context) rest.Result { return c.Rest.Get().AbsPath(path).Do(ctx) }).Into(into))
}

// Raw is the answer to a GET of a path, as the API server gives it.
func (c *Client) Raw(ctx context.Context, path string, params map[string]string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	r := c.Rest.Get().AbsPath(path)
	for k, v := range params {
		r = r.Param(k, v)
	}
	body, err := r.Do(ctx).Raw()
	return body, c.failed("read "+path, err)
}

func (c *Client) patch(ctx context.Context, path string, kind types.PatchType, body []byte) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	r := c.Rest.Patch(kind).AbsPath(path).Param("fieldManager", fieldManager).Body(body)
	if kind == types.ApplyPatchType {
		r = r.Param("force", "true")
	}
	return c.failed("write "+path, r.Do(ctx).Error())
}

// remove deletes an object; that it is not there is fine.
func (c *Client) remove(ctx context.Context, path string) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	err := c.Rest.Delete().AbsPath(path).Do(ctx).Error()
	if apierrors.IsNotFound(err) {
		return nil
	}
	return c.failed("delete "+path, err)
}

// failed gives an error its place. An object that the server says it does not
// have is also fs.ErrNotExist; a server that did not answer never is.
func (c *Client) failed(what string, err error) error {
	if err == nil {
		return nil
	}
	if apierrors.IsNotFound(err) {
		err = fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	}
	return fmt.Errorf("%s: API server %s: %s: %w", c.host, c.addr, what, err)
}
