package workload

import (
	"strings"
	"testing"
)

// A manifest that is there is changed at its flags and its image; comments, probes
// and what others added stay.
func TestEditManifest(t *testing.T) {
	const found = `apiVersion: v1
kind: Pod
metadata:
  annotations: {somebody: added}
spec:
  containers:
  - name: kube-apiserver # a comment
    command:
    - kube-apiserver
    - --own=anything
    - --a=2
    - --one=too-many
    image: r/kube-apiserver:v1.36.2
    livenessProbe: {failureThreshold: 9}
  volumes:
  - {name: others, hostPath: {path: /o}}
`
	m := *madeService().Made
	got, ok := m.Edit("kube-apiserver", found)
	if !ok {
		t.Fatal("it was not edited")
	}
	for _, kept := range []string{"annotations: {somebody: added}", "# a comment", "failureThreshold: 9", "name: others", "--own=anything",
		"--a=1", "--b=x,y", "kube-apiserver:v1.36.3"} {
		if !strings.Contains(got, kept) {
			t.Errorf("lacks %q:\n%s", kept, got)
		}
	}
	if strings.Contains(got, "too-many") || strings.Contains(got, "v1.36.2") {
		t.Errorf("still has what is not wanted:\n%s", got)
	}
	if again, ok := m.Edit("kube-apiserver", got); !ok || again != got {
		t.Errorf("the second edit changes it:\n%s", again)
	}
	m.Mark = "m"
	for name, text := range map[string]string{"another mark": found,
		"another container": strings.Replace(found, "name: kube-apiserver", "name: x", 1),
		"half written":      found[:90], "nothing": ""} {
		if got, ok := m.Edit("kube-apiserver", text); ok {
			t.Errorf("%s: was edited to\n%s", name, got)
		}
	}
}
