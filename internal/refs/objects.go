package refs

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
)

// API is what is read of a cluster's API.
type API interface {
	// Raw is the answer to a GET of a path with these parameters.
	Raw(ctx context.Context, path string, params map[string]string) ([]byte, error)
}

// objectsTimeout bounds all that is asked of the API; pages have so many objects.
const (
	objectsTimeout = 30 * time.Second
	page           = "200"
	mostPages      = 20
)

// namespaces are those whose ConfigMaps lead components and people to the API.
var namespaces = []string{"kube-system", "kube-public"}

// InObjects looks at the endpoints of the API, at ConfigMaps of the system's
// namespaces, and with secrets at all Secrets.
func (c Cluster) InObjects(ctx context.Context, api API, secrets bool) (out []Mention, notAsked []string) {
	ctx, cancel := context.WithTimeout(ctx, objectsTimeout)
	defer cancel()
	note := func(err error) {
		if err != nil {
			notAsked = append(notAsked, err.Error())
		}
	}
	var slice discoveryv1.EndpointSlice
	note(read(ctx, api, "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes", nil, &slice))
	for _, e := range slice.Endpoints {
		for _, a := range e.Addresses {
			out = append(out, Mention{Host: InCluster, Kind: Endpoint, Place: "EndpointSlice default/kubernetes", Name: a, Certain: true})
		}
	}
	for _, ns := range namespaces {
		note(pages(ctx, api, "/api/v1/namespaces/"+ns+"/configmaps", func(text []byte) (string, error) {
			var list corev1.ConfigMapList
			err := json.Unmarshal(text, &list)
			for _, m := range list.Items {
				for _, key := range slices.Sorted(maps.Keys(m.Data)) {
					out = append(out, c.inValue(ConfigMap, ns+"/"+m.Name, key, []byte(m.Data[key]))...)
				}
			}
			return list.Continue, err
		}))
	}
	if !secrets {
		return out, notAsked
	}
	note(pages(ctx, api, "/api/v1/secrets", func(text []byte) (string, error) {
		var list corev1.SecretList
		err := json.Unmarshal(text, &list)
		for _, s := range list.Items {
			for _, key := range slices.Sorted(maps.Keys(s.Data)) {
				out = append(out, c.inValue(Secret, s.Namespace+"/"+s.Name, key, s.Data[key])...)
			}
		}
		return list.Continue, err
	}))
	return out, notAsked
}

// kept are quorate's own objects: the hosts of the file and those that left it.
const kept = "kube-system/quorate-cluster"

// inValue looks at one value of an object.
func (c Cluster) inValue(kind Kind, object, key string, value []byte) []Mention {
	at := Mention{Host: InCluster, Kind: kind, Place: object + " " + key}
	if object == kept || len(value) > 1<<20 {
		return nil
	}
	if strings.Contains(string(value), "clusters:") {
		if servers, err := c.servers(value, at); err == nil {
			return servers
		}
	}
	return c.mentions(string(value), at)
}

// read is one object of the API.
func read(ctx context.Context, api API, path string, params map[string]string, into any) error {
	text, err := api.Raw(ctx, path, params)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	return nil
}

// pages reads a list page by page; take says where the next begins.
func pages(ctx context.Context, api API, path string, take func([]byte) (string, error)) error {
	params := map[string]string{"limit": page}
	for range mostPages {
		text, err := api.Raw(ctx, path, params)
		if err != nil {
			return err
		}
		next, err := take(text)
		if err != nil {
			return fmt.Errorf("read %s: %w", path, err)
		}
		if next == "" {
			return nil
		}
		params["continue"] = next
	}
	return fmt.Errorf("%s: only the first %d pages were read", path, mostPages)
}
