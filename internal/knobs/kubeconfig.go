package knobs

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Field is a knob of a kubeconfig.
type Field int

// The knobs are those of the context in use.
const (
	Server Field = iota
	TLSServerName
	CAData
	CAFile
	ClientCertData
	ClientCertFile
	ClientKeyData
	ClientKeyFile
)

var fields = map[Field]struct{ in, key string }{
	Server: {"cluster", "server"}, TLSServerName: {"cluster", "tls-server-name"},
	CAData: {"cluster", "certificate-authority-data"}, CAFile: {"cluster", "certificate-authority"},
	ClientCertData: {"user", "client-certificate-data"}, ClientCertFile: {"user", "client-certificate"},
	ClientKeyData: {"user", "client-key-data"}, ClientKeyFile: {"user", "client-key"},
}

func (f Field) String() string { return fields[f].key }

// Kubeconfig is one as it was found.
type Kubeconfig struct {
	doc document
	// in leads to the cluster and to the user of the context in use.
	in map[string][]string
}

// ReadKubeconfig reads a kubeconfig.
func ReadKubeconfig(text string) (Kubeconfig, error) {
	d, err := readDocument(text)
	if err != nil {
		return Kubeconfig{}, err
	}
	if kind := d.find("kind"); kind == nil || kind.Value != "Config" {
		return Kubeconfig{}, fmt.Errorf("it is no kubeconfig: its kind is not Config")
	}
	current := ""
	if n := d.find("current-context"); n != nil {
		current = n.Value
	}
	context := d.named("contexts", "context", current)
	if context == nil {
		return Kubeconfig{}, fmt.Errorf("it has no context %q, which it says it uses", current)
	}
	k := Kubeconfig{doc: d, in: map[string][]string{}}
	for _, in := range []string{"cluster", "user"} {
		n := d.find(append(slices.Clone(context), in)...)
		if n == nil {
			return Kubeconfig{}, fmt.Errorf("its context %q names no %s", current, in)
		}
		if k.in[in] = d.named(in+"s", in, n.Value); k.in[in] == nil {
			return Kubeconfig{}, fmt.Errorf("it has no %s %q, which its context %q uses", in, n.Value, current)
		}
	}
	return k, nil
}

// named is the path to what an item of a list has under a key, by its name.
func (d document) named(list, key, name string) []string {
	n := d.find(list)
	if n == nil || n.Kind != yaml.SequenceNode {
		return nil
	}
	for i, item := range n.Content {
		if is := value(item, "name"); is != nil && is.Value == name && value(item, key) != nil {
			return []string{list, fmt.Sprint(i), key}
		}
	}
	return nil
}

// Text is the kubeconfig.
func (k Kubeconfig) Text() string { return k.doc.text }

// Get is the value of a knob; "" when it is not there.
func (k Kubeconfig) Get(f Field) string {
	if n := k.doc.find(k.path(f)...); n != nil && n.Kind == yaml.ScalarNode {
		return n.Value
	}
	return ""
}

func (k Kubeconfig) path(f Field) []string {
	return append(slices.Clone(k.in[fields[f].in]), fields[f].key)
}

// Set changes a knob, which must be there; the server's name for TLS is added
// when it is not.
func (k Kubeconfig) Set(f Field, to string) (Kubeconfig, error) {
	path := k.path(f)
	parent := path[:len(path)-1]
	behind := "none"
	if f == TLSServerName {
		behind = Server.String()
	}
	if n := k.doc.find(parent...); k.doc.find(path...) == nil && behind == "none" || n == nil {
		return Kubeconfig{}, fmt.Errorf("the kubeconfig has no %s in %s", f, strings.Join(parent, "."))
	}
	edits, err := k.doc.setKey(k.doc.find(parent...), f.String(), behind, to)
	if err != nil {
		return Kubeconfig{}, fmt.Errorf("%s: %w", f, err)
	}
	d, err := k.doc.edited(edits, func(root *yaml.Node) {
		in := document{root: root}.find(parent...)
		if n := value(in, f.String()); n != nil {
			n.Value = to
			return
		}
		for i := 0; i < len(in.Content); i += 2 {
			if in.Content[i].Value == behind {
				in.Content = slices.Insert(in.Content, i+2, &yaml.Node{Kind: yaml.ScalarNode, Value: f.String()},
					&yaml.Node{Kind: yaml.ScalarNode, Value: to})
				return
			}
		}
	})
	if err != nil {
		return Kubeconfig{}, fmt.Errorf("%s: %w", f, err)
	}
	return ReadKubeconfig(d.text)
}
