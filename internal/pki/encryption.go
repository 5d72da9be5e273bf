package pki

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"

	"sigs.k8s.io/yaml"
)

// encryptionConfiguration is the part of apiserver.config.k8s.io/v1
// EncryptionConfiguration that is needed here. k8s.io/apiserver has the whole
// type, but linking an API server's library for four fields is too dear:
// https://kubernetes.io/docs/reference/config-api/apiserver-config.v1/
type encryptionConfiguration struct {
	APIVersion string               `json:"apiVersion"`
	Kind       string               `json:"kind"`
	Resources  []encryptedResources `json:"resources"`
}

type encryptedResources struct {
	Resources []string             `json:"resources"`
	Providers []encryptionProvider `json:"providers"`
}

type encryptionProvider struct {
	Secretbox *encryptionKeys `json:"secretbox,omitempty"`
	AESCBC    *encryptionKeys `json:"aescbc,omitempty"`
	AESGCM    *encryptionKeys `json:"aesgcm,omitempty"`
	KMS       map[string]any  `json:"kms,omitempty"`
	Identity  *struct{}       `json:"identity,omitempty"`
}

type encryptionKeys struct {
	Keys []encryptionKey `json:"keys"`
}

type encryptionKey struct {
	Name   string `json:"name"`
	Secret string `json:"secret"`
}

// newEncryption makes an EncryptionConfiguration for secrets with a fresh key.
// The identity provider comes last: what was written in the clear stays
// readable, nothing new is.
func newEncryption(provider string) ([]byte, error) {
	secret := make([]byte, 32)
	rand.Read(secret) // never fails, see its documentation
	keys := &encryptionKeys{Keys: []encryptionKey{{Name: "key1", Secret: base64.StdEncoding.EncodeToString(secret)}}}
	first := encryptionProvider{}
	switch provider {
	case "", "secretbox":
		first.Secretbox = keys
	case "aescbc":
		first.AESCBC = keys
	default:
		return nil, fmt.Errorf("no encryption provider %q: use secretbox or aescbc (spec.encryption.provider)", provider)
	}
	return yaml.Marshal(encryptionConfiguration{
		APIVersion: "apiserver.config.k8s.io/v1",
		Kind:       "EncryptionConfiguration",
		Resources: []encryptedResources{{
			Resources: []string{"secrets"},
			Providers: []encryptionProvider{first, {Identity: &struct{}{}}},
		}},
	})
}

// checkEncryption says whether a file is an EncryptionConfiguration with a
// provider that encrypts. Its errors hold no content: the file is secret.
func checkEncryption(b []byte) error {
	var c encryptionConfiguration
	if yaml.Unmarshal(b, &c) != nil {
		return errors.New("not YAML of an EncryptionConfiguration")
	}
	if c.Kind != "EncryptionConfiguration" {
		return errors.New("its kind is not EncryptionConfiguration")
	}
	for _, r := range c.Resources {
		for _, p := range r.Providers {
			if p.Secretbox != nil || p.AESCBC != nil || p.AESGCM != nil || p.KMS != nil {
				return nil
			}
		}
	}
	return errors.New("no provider in it encrypts anything")
}
