package kubeapi

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	bootstrap "k8s.io/cluster-bootstrap/token/api"
	tokens "k8s.io/cluster-bootstrap/token/util"
)

// Token is a bootstrap token without its secret part.
// https://kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens/
type Token struct {
	ID          string     `json:"id"`
	Description string     `json:"description"`
	Expires     *time.Time `json:"expires"` // nil: never
	Usages      []string   `json:"usages"`  // authentication, signing
	Groups      []string   `json:"groups"`  // beside system:bootstrappers
}

const secretsPath = "/api/v1/namespaces/" + metav1.NamespaceSystem + "/secrets"

// tokenTime is how the expiry of a token is written.
const tokenTime = time.RFC3339

// Tokens lists the cluster's bootstrap tokens by id.
func (c *Client) Tokens(ctx context.Context) ([]Token, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var list corev1.SecretList
	err := c.Rest.Get().AbsPath(secretsPath).Param("fieldSelector", "type="+string(bootstrap.SecretTypeBootstrapToken)).Do(ctx).Into(&list)
	if err != nil {
		return nil, c.failed("list bootstrap tokens", err)
	}
	out := []Token{}
	for _, s := range list.Items {
		out = append(out, parseToken(s))
	}
	slices.SortFunc(out, func(a, b Token) int { return strings.Compare(a.ID, b.ID) })
	return out, nil
}

func parseToken(s corev1.Secret) Token {
	t := Token{ID: string(s.Data[bootstrap.BootstrapTokenIDKey]), Description: string(s.Data[bootstrap.BootstrapTokenDescriptionKey]),
		Usages: []string{}, Groups: []string{}}
	if at, err := time.Parse(tokenTime, string(s.Data[bootstrap.BootstrapTokenExpirationKey])); err == nil {
		t.Expires = &at
	}
	for _, usage := range bootstrap.KnownTokenUsages {
		if string(s.Data[bootstrap.BootstrapTokenUsagePrefix+usage]) == "true" {
			t.Usages = append(t.Usages, usage)
		}
	}
	if groups := string(s.Data[bootstrap.BootstrapTokenExtraGroupsKey]); groups != "" {
		t.Groups = strings.Split(groups, ",")
	}
	return t
}

// CreateToken makes a bootstrap token of an id and a secret of its own, with the
// rest as given, and returns it whole.
func (c *Client) CreateToken(ctx context.Context, t Token) (Token, string, error) {
	whole, err := tokens.GenerateBootstrapToken()
	if err != nil {
		return t, "", err
	}
	id, secret, _ := strings.Cut(whole, ".")
	t.ID = id
	data := map[string]string{bootstrap.BootstrapTokenIDKey: id, bootstrap.BootstrapTokenSecretKey: secret,
		bootstrap.BootstrapTokenDescriptionKey: t.Description}
	for _, usage := range t.Usages {
		data[bootstrap.BootstrapTokenUsagePrefix+usage] = "true"
	}
	if t.Expires != nil {
		data[bootstrap.BootstrapTokenExpirationKey] = t.Expires.UTC().Format(tokenTime)
	}
	if len(t.Groups) > 0 {
		data[bootstrap.BootstrapTokenExtraGroupsKey] = strings.Join(t.Groups, ",")
	}
	return t, whole, c.create(ctx, secretsPath, &corev1.Secret{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceSystem, Name: tokens.BootstrapTokenSecretName(id)},
		Type:       bootstrap.SecretTypeBootstrapToken, StringData: data}, nil)
}

// TokenID is the id of what a person calls a token: its id, or all of it.
func TokenID(s string) (string, error) {
	id, _, _ := strings.Cut(s, ".")
	if !tokens.IsValidBootstrapTokenID(id) || id != s && !tokens.IsValidBootstrapToken(s) {
		return "", fmt.Errorf("want a token's id, six lower-case letters and digits, as `quorate token list` shows it")
	}
	return id, nil
}

// DeleteToken deletes a token by its id; fs.ErrNotExist when there is none.
func (c *Client) DeleteToken(ctx context.Context, id string) error {
	list, err := c.Tokens(ctx)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(list, func(t Token) bool { return t.ID == id }) {
		return fmt.Errorf("no token has the id %s: %w", id, fs.ErrNotExist)
	}
	return c.remove(ctx, secretsPath+"/"+tokens.BootstrapTokenSecretName(id))
}

// create makes an object; into, when not nil, gets what the server made of it.
func (c *Client) create(ctx context.Context, path string, object, into any) error {
	return c.send(ctx, "create "+path, c.Rest.Post().AbsPath(path), object, into)
}

// send sends an object as JSON.
func (c *Client) send(ctx context.Context, what string, r request, object, into any) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	body, err := json.Marshal(object)
	if err != nil {
		return err
	}
	result := r.SetHeader("Content-Type", "application/json").Body(body).Do(ctx)
	if err := result.Error(); err != nil || into == nil { // Raw would not say why the server refused
		return c.failed(what, err)
	}
	answer, err := result.Raw()
	if err == nil {
		err = json.Unmarshal(answer, into)
	}
	return c.failed(what, err)
}
