package observe

import (
	"slices"
	"testing"

	"quorate.dev/quorate/internal/spec"
)

// A file whose flags are written as one value or as several is read again.
func TestKeptHosts(t *testing.T) {
	file := &spec.Cluster{}
	args := map[string]spec.Values{"v": {"1"}, "oidc-ca": {"a", "b"}}
	file.Spec.Components = map[string]spec.Component{"kube-apiserver": {ExtraArgs: args}}
	file.Spec.Hosts = []spec.Host{{Name: "cp1", Address: "192.0.2.11", Roles: []string{spec.RoleControlPlane, spec.RoleWorker}}}
	text, err := spec.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	hosts, err := keptHosts(text)
	if err != nil || len(hosts) != 1 || hosts[0].Name != "cp1" || hosts[0].Address != "192.0.2.11" ||
		!slices.Equal(hosts[0].Roles, file.Spec.Hosts[0].Roles) {
		t.Errorf("%v, %v of\n%s", hosts, err, text)
	}
}
