package engine

import (
	"context"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"quorate.dev/quorate/internal/component"
	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/kubeapi"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/observe"
)

// API is a client of an API server that answers.
func (e *Engine) API(ctx context.Context, ob *observe.Observation) (*kubeapi.Client, error) {
	id, err := serving(ob)
	if err != nil {
		return nil, err
	}
	return e.env(ob, id).API(ctx)
}

// serving is a control plane of the file whose API server is ready.
func serving(ob *observe.Observation) (model.HostID, error) {
	for _, id := range ob.Have.IDs() {
		if h := ob.Have.Hosts[id]; ob.Goal.Hosts[id] != nil && h.Up() && h.Ready.Is(true) && h.Roles.Has(model.ControlPlane) {
			return id, nil
		}
	}
	return "", errors.New("no API server answers; `quorate status` says why")
}

// certificateKey is how kubeadm prints the key of what it uploaded.
var certificateKey = regexp.MustCompile(`^[0-9a-f]{64}$`)

// UploadCerts has kubeadm put the cluster's shared keys into it, encrypted, for
// two hours, and returns the key to them and the host on which that was done.
func (e *Engine) UploadCerts(ctx context.Context, ob *observe.Observation) (key string, on model.HostID, err error) {
	if on, err = serving(ob); err != nil {
		return "", "", err
	}
	h := e.observer.Hosts[on]
	if ob.Goal.Want.Adopted {
		return "", on, errors.New("this is not supported for an adopted cluster yet; run `kubeadm init phase upload-certs --upload-certs` there")
	}
	config, err := component.KubeadmConfig(ob.Goal.Hosts[on].Context, nil, "", nil)
	if err != nil {
		return "", on, err
	}
	at := ob.Goal.Layout
	file := path.Join(at.Own.Stage, "kubeadm-upload-certs.yaml")
	if _, err := h.WriteFiles(ctx, []host.File{{Path: file, Content: config, Mode: 0o600}}); err != nil {
		return "", on, err
	}
	out, err := host.Output(ctx, h, host.Script{What: "kubeadm init phase upload-certs",
		Text: `set -eu
trap 'rm -f "$2"' EXIT
"$1" init phase upload-certs --upload-certs --config "$2"`,
		Args: []string{at.Program("kubeadm"), file}})
	if err != nil {
		return "", on, err
	}
	lines := strings.Fields(out)
	if i := slices.IndexFunc(lines, certificateKey.MatchString); i >= 0 {
		return lines[i], on, nil
	}
	return "", on, fmt.Errorf("%s: kubeadm init phase upload-certs printed no key", on)
}
