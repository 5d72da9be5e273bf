package spec

import (
	"bytes"
	"fmt"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// MaxHosts is how many hosts a file may have. Kubernetes is made for clusters
// of up to 5,000 nodes (https://kubernetes.io/docs/setup/best-practices/cluster-large/);
// twice that is a mistake in whatever wrote the file.
const MaxHosts = 10_000

// tooManyHosts looks at the tree before it is read into values.
func tooManyHosts(top *yaml.Node) (Issue, bool) {
	hosts := under(under(top, "spec"), "hosts")
	if hosts == nil || hosts.Kind != yaml.SequenceNode || len(hosts.Content) <= MaxHosts {
		return Issue{}, false
	}
	return Issue{Line: hosts.Line, Column: hosts.Column, Path: "spec.hosts", Problem: fmt.Sprintf("%d hosts", len(hosts.Content)),
		Expected: fmt.Sprintf("%d at most: Kubernetes is made for clusters of up to 5000 nodes", MaxHosts)}, true
}

// under is the value of a mapping's key, or nil.
func under(n *yaml.Node, key string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// notText finds the first place that cannot be in a YAML file, which the parser
// would name without its place.
func notText(data []byte) (Issue, bool) {
	for at := 0; at < len(data); {
		r, n := utf8.DecodeRune(data[at:])
		switch {
		case r == utf8.RuneError && n == 1:
			return placeOf(data, at, fmt.Sprintf("byte 0x%02x is not UTF-8", data[at]), "UTF-8 text"), true
		case unicode.IsControl(r) && r != '\t' && r != '\n' && r != '\r' && r != '\u0085': // NEL is a line break
			return placeOf(data, at, fmt.Sprintf("control character %U", r), "text; inside double quotes it can be written as an escape"), true
		}
		at += n
	}
	return Issue{}, false
}

func placeOf(data []byte, at int, problem, expected string) Issue {
	begin := bytes.LastIndexByte(data[:at], '\n') + 1
	line, column := bytes.Count(data[:at], []byte("\n"))+1, utf8.RuneCount(data[begin:at])+1
	return Issue{Line: line, Column: column, Problem: problem, Expected: expected}
}
