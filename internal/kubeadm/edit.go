package kubeadm

import (
	"bytes"
	"fmt"
	"slices"

	"go.yaml.in/yaml/v3"
)

// Document is a ClusterConfiguration as its cluster has it, whose other fields,
// order and comments stay as they are when something of it is set.
type Document struct{ root yaml.Node }

// Parse reads a ClusterConfiguration.
func Parse(text []byte) (*Document, error) {
	d := &Document{}
	if err := yaml.Unmarshal(text, &d.root); err != nil {
		return nil, fmt.Errorf("read kubeadm's ClusterConfiguration: %w", err)
	}
	if d.root.Kind != yaml.DocumentNode || d.root.Content[0].Kind != yaml.MappingNode {
		return nil, fmt.Errorf("kubeadm's ClusterConfiguration is no object")
	}
	return d, nil
}

// Text is the document, with what was set.
func (d *Document) Text() ([]byte, error) {
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(&d.root); err != nil {
		return nil, fmt.Errorf("write kubeadm's ClusterConfiguration: %w", err)
	}
	return b.Bytes(), enc.Close()
}

// at is the value of a key of an object, made when it is not there.
func at(object *yaml.Node, key string, kind yaml.Kind) *yaml.Node {
	for i := 0; i+1 < len(object.Content); i += 2 {
		if object.Content[i].Value == key {
			if v := object.Content[i+1]; v.Kind == yaml.ScalarNode && v.ShortTag() == "!!null" {
				*v = yaml.Node{Kind: kind}
			}
			return object.Content[i+1]
		}
	}
	object.Style = 0
	object.Content = append(object.Content, scalar(key), &yaml.Node{Kind: kind})
	return object.Content[len(object.Content)-1]
}

func scalar(value string) *yaml.Node {
	n := &yaml.Node{}
	n.SetString(value)
	return n
}

// quoted is a text that no reader of YAML takes for something else ("y" is a
// truth value to some).
func quoted(value string) *yaml.Node {
	n := scalar(value)
	n.Style = yaml.DoubleQuotedStyle
	return n
}

func (d *Document) in(path ...string) *yaml.Node {
	n := d.root.Content[0]
	for _, key := range path {
		n = at(n, key, yaml.MappingNode)
	}
	return n
}

// SetEndpoint sets the address by which everybody reaches the API servers.
func (d *Document) SetEndpoint(endpoint string) {
	*at(d.root.Content[0], "controlPlaneEndpoint", yaml.ScalarNode) = *scalar(endpoint)
}

// AddSANs adds names and addresses for the API servers' certificates.
func (d *Document) AddSANs(sans ...string) {
	list := at(d.in("apiServer"), "certSANs", yaml.SequenceNode)
	for _, san := range sans {
		if !slices.ContainsFunc(list.Content, func(n *yaml.Node) bool { return n.Value == san }) {
			list.Style = 0
			list.Content = append(list.Content, quoted(san))
		}
	}
}

// SetEtcdArg sets a flag of the members that kubeadm runs, in the form that the
// document's version has.
func (d *Document) SetEtcdArg(name, value string) {
	local := d.in("etcd", "local")
	if at(d.root.Content[0], "apiVersion", yaml.ScalarNode).Value != APIVersion {
		*at(at(local, "extraArgs", yaml.MappingNode), name, yaml.ScalarNode) = *quoted(value)
		return
	}
	list := at(local, "extraArgs", yaml.SequenceNode)
	list.Style = 0
	list.Content = slices.DeleteFunc(list.Content, func(n *yaml.Node) bool {
		return n.Kind == yaml.MappingNode && at(n, "name", yaml.ScalarNode).Value == name
	})
	list.Content = append(list.Content, &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{scalar("name"), scalar(name), scalar("value"),
		quoted(value)}})
}
