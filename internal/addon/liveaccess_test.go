package addon

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io/fs"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	authentication "k8s.io/api/authentication/v1"
	authorization "k8s.io/api/authorization/v1"
	certificates "k8s.io/api/certificates/v1"

	"quorate.dev/quorate/internal/kubeapi"
	"quorate.dev/quorate/internal/pki"
)

// tokens are made, listed without their secret, used and deleted.
func (l *live) tokens(ctx context.Context, t *testing.T, c *kubeapi.Client) {
	ends := time.Now().Add(time.Hour).Truncate(time.Second).UTC()
	made, whole, err := c.CreateToken(ctx, kubeapi.Token{Description: "a test's", Expires: &ends, Usages: []string{"authentication"},
		Groups: []string{"system:bootstrappers:some:nodes"}})
	if err != nil {
		t.Fatal(err)
	}
	list, err := c.Tokens(ctx)
	i := slices.IndexFunc(list, func(o kubeapi.Token) bool { return o.ID == made.ID })
	if err != nil || i < 0 || !list[i].Expires.Equal(ends) || list[i].Description != "a test's" ||
		!slices.Equal(list[i].Usages, made.Usages) || !slices.Equal(list[i].Groups, made.Groups) {
		t.Fatalf("%+v, %v", list, err)
	}
	review := authentication.TokenReview{Spec: authentication.TokenReviewSpec{Token: whole}}
	review.APIVersion, review.Kind = authentication.SchemeGroupVersion.String(), "TokenReview"
	l.post(ctx, t, c, "/apis/authentication.k8s.io/v1/tokenreviews", &review)
	if who := review.Status.User; who.Username != "system:bootstrap:"+made.ID ||
		!slices.Contains(who.Groups, "system:bootstrappers:some:nodes") {
		t.Errorf("with the token one is %+v", review.Status)
	}
	// The exploit: a token got a certificate for any node's name, unasked.
	for sub, allowed := range map[string]bool{"": true, "nodeclient": false} {
		can := authorization.SubjectAccessReview{Spec: authorization.SubjectAccessReviewSpec{User: "system:bootstrap:" + made.ID,
			Groups: []string{"system:bootstrappers", "system:authenticated"}, ResourceAttributes: &authorization.ResourceAttributes{
				Verb: "create", Group: "certificates.k8s.io", Resource: "certificatesigningrequests", Subresource: sub}}}
		can.APIVersion, can.Kind = authorization.SchemeGroupVersion.String(), "SubjectAccessReview"
		l.post(ctx, t, c, "/apis/authorization.k8s.io/v1/subjectaccessreviews", &can)
		if can.Status.Allowed != allowed {
			t.Errorf("with a token one may create certificatesigningrequests/%s: %t", sub, can.Status.Allowed)
		}
	}
	if err := c.DeleteToken(ctx, made.ID); err != nil {
		t.Fatal(err)
	}
	if err := c.DeleteToken(ctx, made.ID); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("deleted twice: %v", err)
	}
	for _, name := range []string{"", "ABCDEF", "abcde", "abcdef.short", "../etc"} {
		if id, err := kubeapi.TokenID(name); err == nil {
			t.Errorf("%q is taken for the id %q", name, id)
		}
	}
	if id, err := kubeapi.TokenID(whole); id != made.ID || err != nil {
		t.Errorf("%q, %v", id, err)
	}
}

// kubelets renew their first certificate, which is from us, and may not ask for one
// of another node's name.
func (l *live) kubelets(ctx context.Context, t *testing.T, c *kubeapi.Client) {
	const requests = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
	cert, key, err := pki.UserClient(l.shared, "system:node:w1", []string{"system:nodes"}, time.Hour, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	node := l.as(t, cert, key)
	for of, want := range map[string]int{"w1": http.StatusCreated, "w2": http.StatusForbidden} {
		text, _, err := pki.UserRequest("system:node:"+of, []string{"system:nodes"})
		if err != nil {
			t.Fatal(err)
		}
		request := certificates.CertificateSigningRequest{Spec: certificates.CertificateSigningRequestSpec{Request: text,
			SignerName: certificates.KubeAPIServerClientKubeletSignerName,
			Usages:     []certificates.KeyUsage{certificates.UsageDigitalSignature, certificates.UsageClientAuth}}}
		request.APIVersion, request.Kind, request.Name = certificates.SchemeGroupVersion.String(), "CertificateSigningRequest", "as-"+of
		got := 0
		err = node.Rest.Post().AbsPath(requests).Body(&request).Do(ctx).StatusCode(&got).Error()
		if got != want {
			t.Errorf("w1 asks for the certificate of %s: %d, %v; want %d", of, got, err, want)
		}
	}
	l.eventually(t, "w1 renews its certificate", func() error {
		text, err := c.Rest.Get().AbsPath(requests + "/as-w1").Do(ctx).Raw()
		if err == nil && !strings.Contains(string(text), `"certificate":`) {
			err = errors.New("not yet")
		}
		return err
	})
}

// post sends an object and reads what the server made of it.
func (l *live) post(ctx context.Context, t *testing.T, c *kubeapi.Client, path string, object any) {
	t.Helper()
	body, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := c.Rest.Post().AbsPath(path).SetHeader("Content-Type", "application/json").Body(body).Do(ctx).Raw()
	if err == nil {
		err = json.Unmarshal(answer, object)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// users get a certificate through the API, and a role in a namespace.
func (l *live) users(ctx context.Context, t *testing.T, c *kubeapi.Client) {
	request, _, err := pki.UserRequest("ann", []string{"readers"})
	if err != nil {
		t.Fatal(err)
	}
	cert, err := c.SignClient(ctx, request, kubeapi.MinUserLife)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(cert)
	of, err := x509.ParseCertificate(block.Bytes)
	if err != nil || of.Subject.CommonName != "ann" || !slices.Equal(of.Subject.Organization, []string{"readers"}) {
		t.Errorf("%v, %v", of, err)
	}
	if life := time.Until(of.NotAfter); life > kubeapi.MinUserLife || life < 0 {
		t.Errorf("it lives %s", life)
	}
	if left, err := c.Rest.Get().AbsPath("/apis/certificates.k8s.io/v1/certificatesigningrequests").Do(ctx).Raw(); err != nil ||
		strings.Contains(string(left), `"quorate-`) {
		t.Errorf("requests are left over: %s, %v", left, err)
	}

	request, _, err = pki.UserRequest("eve", []string{pki.MastersGroup})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.SignClient(ctx, request, time.Hour); err == nil || !strings.Contains(err.Error(), pki.MastersGroup) {
		t.Errorf("the API signed for %s: %v", pki.MastersGroup, err)
	}

	for _, try := range []struct{ role, namespace, want string }{{"view", "default", "RoleBinding default/quorate:ann:view"},
		{"view", "", "ClusterRoleBinding quorate:ann:view"}} {
		if what, err := c.Grant(ctx, "ann", try.role, try.namespace); what != try.want || err != nil {
			t.Errorf("bound %q, %v; want %q", what, err, try.want)
		}
		can := authorization.SubjectAccessReview{Spec: authorization.SubjectAccessReviewSpec{User: "ann",
			ResourceAttributes: &authorization.ResourceAttributes{Namespace: try.namespace, Verb: "list", Resource: "pods"}}}
		can.APIVersion, can.Kind = authorization.SchemeGroupVersion.String(), "SubjectAccessReview"
		l.eventually(t, "ann may list pods in "+try.namespace, func() error {
			l.post(ctx, t, c, "/apis/authorization.k8s.io/v1/subjectaccessreviews", &can)
			if !can.Status.Allowed {
				return errors.New(can.Status.Reason)
			}
			return nil
		})
	}
	for _, try := range [][2]string{{"no-such-role", "default"}, {"view", "no-such-namespace"}, {"../x", ""}} {
		if what, err := c.Grant(ctx, "ann", try[0], try[1]); err == nil {
			t.Errorf("bound %s", what)
		}
	}
}
