package kubeadm

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// Init makes an InitConfiguration of its kind.
func Init(c InitConfiguration) InitConfiguration {
	c.TypeMeta = metav1.TypeMeta{APIVersion: APIVersion, Kind: "InitConfiguration"}
	return c
}

// Cluster makes a ClusterConfiguration of its kind.
func Cluster(c ClusterConfiguration) ClusterConfiguration {
	c.TypeMeta = metav1.TypeMeta{APIVersion: APIVersion, Kind: "ClusterConfiguration"}
	return c
}

// Args are flags sorted by name, those of later maps over those of earlier ones.
// The values of a flag that is given several times are separated by NUL.
func Args(flags ...map[string]string) []Arg {
	all := map[string]string{}
	for _, f := range flags {
		maps.Copy(all, f)
	}
	var out []Arg
	for _, name := range slices.Sorted(maps.Keys(all)) {
		for value := range strings.SplitSeq(all[name], "\x00") { // as package workload has it
			out = append(out, Arg{name, value})
		}
	}
	return out
}

// Write joins documents to one file, as kubeadm takes it by --config. A document
// of bytes is YAML already.
func Write(docs ...any) ([]byte, error) {
	var out bytes.Buffer
	for i, d := range docs {
		text, is := d.([]byte)
		if !is {
			var err error
			if text, err = yaml.Marshal(d); err != nil {
				return nil, fmt.Errorf("write %T: %w", d, err)
			}
		}
		if i > 0 {
			out.WriteString("---\n")
		}
		out.Write(text)
	}
	return out.Bytes(), nil
}
