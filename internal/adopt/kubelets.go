package adopt

import (
	"reflect"
	"slices"

	"sigs.k8s.io/yaml"

	"quorate.dev/quorate/internal/layout"
)

// kubelets are the settings that kubeadm would give to hosts that join, as far as
// they are not what quorate gives by itself. Kubelets that were found keep theirs.
func (m *maker) kubelets() {
	var all map[string]any
	if err := yaml.Unmarshal([]byte(m.API.Kubelet), &all); err != nil || len(all) == 0 {
		m.note("", "the ConfigMap kube-system/kubelet-config has no configuration that can be read",
			"kubelets of hosts that join get quorate's own settings")
		return
	}
	if driver, _ := all["cgroupDriver"].(string); driver != "" && driver != "systemd" {
		m.note("", "kubelets use the cgroup driver %s", "hosts that join get a runtime and a kubelet with the driver systemd", driver)
	}
	if dns := texts(all["clusterDNS"]); len(dns) > 0 && !slices.Equal(dns, []string{m.file.DNSIP().String()}) {
		m.note("", "pods ask the DNS servers %v", "those on hosts that join ask "+m.file.DNSIP().String(), dns)
	}
	for _, key := range givenByQuorate {
		delete(all, key)
	}
	if all["staticPodPath"] == layout.Kubeadm().Kubelet.Manifests {
		delete(all, "staticPodPath")
	}
	if auth, is := all["authentication"].(map[string]any); is {
		delete(auth, "x509")
	}
	for key, value := range all {
		if value = said(value); value == nil || reflect.DeepEqual(value, alike[key]) {
			delete(all, key)
		} else {
			all[key] = value
		}
	}
	if len(all) > 0 {
		m.file.Spec.KubeletConfiguration = all
	}
}

// givenByQuorate are the fields that follow from the file, or from the host.
var givenByQuorate = []string{"apiVersion", "kind", "cgroupDriver", "clusterDNS", "clusterDomain", "containerRuntimeEndpoint", "resolvConf",
	"tlsCertFile", "tlsPrivateKeyFile"}

// alike are settings of kubeadm's that quorate's kubelets have, too.
var alike = map[string]any{
	"authentication":     map[string]any{"anonymous": map[string]any{"enabled": false}, "webhook": map[string]any{"enabled": true}},
	"authorization":      map[string]any{"mode": "Webhook"},
	"healthzBindAddress": "127.0.0.1",
	"healthzPort":        float64(10248),
	"logging": map[string]any{"flushFrequency": float64(0), "verbosity": float64(0), "options": map[string]any{
		"json": map[string]any{"infoBufferSize": "0"}, "text": map[string]any{"infoBufferSize": "0"}}},
	"rotateCertificates": true,
}

// said is a value without what kubeadm writes for a field that nobody has set; nil
// when nothing is left.
func said(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for key, inner := range v {
			if inner = said(inner); inner == nil {
				delete(v, key)
			} else {
				v[key] = inner
			}
		}
		if len(v) == 0 {
			return nil
		}
	case string:
		if v == "" || v == "0s" {
			return nil
		}
	}
	return value
}

func texts(list any) (out []string) {
	items, _ := list.([]any)
	for _, i := range items {
		if s, is := i.(string); is {
			out = append(out, s)
		}
	}
	return out
}
