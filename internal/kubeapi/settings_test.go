package kubeapi

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// A node that somebody changes between reading and writing is read again: what
// the other has written stays, and a conflict without end is the caller's error.
func TestConfigureOverAnothersChange(t *testing.T) {
	theirs := corev1.Taint{Key: "theirs", Effect: corev1.TaintEffectNoSchedule}
	for _, c := range []struct {
		name      string
		conflicts int
		fails     bool
	}{{"none", 0, false}, {"two", 2, false}, {"always", 1000, true}} {
		t.Run(c.name, func(t *testing.T) {
			node, left := corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "w1"}}, c.conflicts
			var wrote corev1.Node
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				answer := func(code int, v any) {
					w.Header().Set("Content-Type", "application/json")
					w.WriteHeader(code)
					json.NewEncoder(w).Encode(v)
				}
				switch {
				case r.Method == http.MethodGet:
					answer(http.StatusOK, node)
				case left > 0:
					left--
					node.Spec.Taints = []corev1.Taint{theirs}
					answer(http.StatusConflict, apierrors.NewConflict(schema.GroupResource{Resource: "nodes"}, "w1", io.EOF).Status())
				default:
					if err := json.NewDecoder(r.Body).Decode(&wrote); err != nil {
						t.Error(err)
					}
					answer(http.StatusOK, node)
				}
			}))
			defer server.Close()
			rc, err := restClient(server.URL, http.DefaultTransport)
			if err != nil {
				t.Fatal(err)
			}
			client := &Client{host: "cp1", addr: "the server", Rest: rc}
			err = client.Configure(t.Context(), "w1", NodeSettings{Labels: map[string]string{"rack": "r1"}})
			if (err != nil) != c.fails || c.fails && !apierrors.IsConflict(err) {
				t.Fatalf("configure: %v", err)
			}
			if err == nil && (wrote.Labels["rack"] != "r1" || len(wrote.Spec.Taints) != min(c.conflicts, 1)) {
				t.Errorf("written: %+v %+v", wrote.Labels, wrote.Spec.Taints)
			}
		})
	}
}
