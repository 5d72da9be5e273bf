package kubeapi

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	certificates "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/validate/content"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
)

// request is a call to the API that is being put together.
type request = *rest.Request

// MinUserLife is the shortest life that the API takes for a certificate
// (CertificateSigningRequestSpec.expirationSeconds).
const MinUserLife = 10 * time.Minute

// signTime is how long the controller-manager may take to sign.
const signTime = time.Minute

const requestsPath = "/apis/certificates.k8s.io/v1/certificatesigningrequests"

// SignClient has the cluster sign a request (PEM) for a client certificate, and
// approves that itself. The request is deleted in the end.
func (c *Client) SignClient(ctx context.Context, requestPEM []byte, life time.Duration) (certPEM []byte, err error) {
	seconds := int32(life.Seconds())
	made := certificates.CertificateSigningRequest{
		TypeMeta:   metav1.TypeMeta{APIVersion: certificates.SchemeGroupVersion.String(), Kind: "CertificateSigningRequest"},
		ObjectMeta: metav1.ObjectMeta{Name: "quorate-" + strings.ToLower(rand.Text())},
		Spec: certificates.CertificateSigningRequestSpec{Request: requestPEM, SignerName: certificates.KubeAPIServerClientSignerName,
			ExpirationSeconds: &seconds, Usages: []certificates.KeyUsage{certificates.UsageDigitalSignature, certificates.UsageClientAuth}},
	}
	if err := c.create(ctx, requestsPath, made, &made); err != nil {
		return nil, err
	}
	at := requestsPath + "/" + made.Name
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
		defer cancel()
		err = errors.Join(err, c.remove(ctx, at))
	}()
	made.Status.Conditions = append(made.Status.Conditions, certificates.CertificateSigningRequestCondition{
		Type: certificates.CertificateApproved, Status: corev1.ConditionTrue, Reason: "Quorate",
		Message: "asked for and approved by `quorate kubeconfig user`", LastUpdateTime: metav1.Now()})
	if err := c.send(ctx, "approve "+at, c.Rest.Put().AbsPath(at+"/approval"), made, &made); err != nil {
		return nil, err
	}
	return c.signed(ctx, at)
}

// signed waits for the certificate of a request that was approved.
func (c *Client) signed(ctx context.Context, at string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, signTime)
	defer cancel()
	for {
		var now certificates.CertificateSigningRequest
		answer, err := c.Rest.Get().AbsPath(at).Do(ctx).Raw()
		if err == nil {
			err = json.Unmarshal(answer, &now)
		}
		if err != nil {
			return nil, c.failed("read "+at, err)
		}
		if len(now.Status.Certificate) > 0 {
			return now.Status.Certificate, nil
		}
		for _, s := range now.Status.Conditions {
			if s.Type == certificates.CertificateFailed || s.Type == certificates.CertificateDenied {
				return nil, c.failed("sign "+at, fmt.Errorf("%s: %s: %s", s.Type, s.Reason, s.Message))
			}
		}
		select {
		case <-ctx.Done():
			return nil, c.failed("sign "+at, fmt.Errorf("approved, and no kube-controller-manager has signed it: %w", context.Cause(ctx)))
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// Grant lets a user do what a role says: in a namespace, or in the whole cluster
// when that is "". A Role of the namespace comes before a ClusterRole of the same
// name. It says what was bound.
func (c *Client) Grant(ctx context.Context, user, role, namespace string) (string, error) {
	for _, name := range []string{user, role, namespace} {
		if wrong := content.IsPathSegmentName(name); len(wrong) > 0 {
			return "", fmt.Errorf("%q: %s", name, strings.Join(wrong, "; "))
		}
	}
	ref, err := c.role(ctx, role, namespace)
	if err != nil {
		return "", err
	}
	meta := metav1.ObjectMeta{Name: "quorate:" + user + ":" + role, Namespace: namespace}
	to := []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: user}}
	of := func(kind string) metav1.TypeMeta {
		return metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: kind}
	}
	if namespace == "" {
		binding := &rbacv1.ClusterRoleBinding{TypeMeta: of("ClusterRoleBinding"), ObjectMeta: meta, RoleRef: ref, Subjects: to}
		return "ClusterRoleBinding " + meta.Name, c.Apply(ctx, []runtime.Object{binding})
	}
	binding := &rbacv1.RoleBinding{TypeMeta: of("RoleBinding"), ObjectMeta: meta, RoleRef: ref, Subjects: to}
	return "RoleBinding " + namespace + "/" + meta.Name, c.Apply(ctx, []runtime.Object{binding})
}

// role finds a role by its name. A binding to none would grant nothing, silently.
func (c *Client) role(ctx context.Context, name, namespace string) (rbacv1.RoleRef, error) {
	const root = "/apis/rbac.authorization.k8s.io/v1/"
	ref := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name}
	if namespace != "" {
		err := c.there(ctx, root+"namespaces/"+namespace+"/roles/"+name)
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			return ref, err
		}
		if err := c.there(ctx, "/api/v1/namespaces/"+namespace); err != nil {
			return ref, err
		}
	}
	ref.Kind = "ClusterRole"
	return ref, c.there(ctx, root+"clusterroles/"+name)
}

// there is an error unless an object is there.
func (c *Client) there(ctx context.Context, path string) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return c.failed("read "+path, c.Rest.Get().AbsPath(path).Do(ctx).Error())
}
