package component

import (
	"fmt"
	"path"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"quorate.dev/quorate/internal/etcd"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/pki"
	"quorate.dev/quorate/internal/workload"
)

// imageDir is where the images have their programs.
const imageDir = "/usr/local/bin/"

// hasPods says whether the kubelet of Self runs static pods of ours.
func (c Context) hasPods() bool {
	return c.Pods != [model.NumComponents]workload.PodStyle{}
}

// etcdPod is the etcd member of a host as a static pod. It starts by the same
// rules as the unit does (see Etcd), which etcd-gate keeps. A member that waits
// for its peers is healthy: the start-up probe never gives up.
func etcdPod(ctx Context) (workload.Service, error) {
	c := EtcdConfig{Layout: ctx.Layout, Cluster: ctx.Cluster, Self: ctx.Self, Members: ctx.Members, State: etcd.Existing,
		ExtraArgs: ctx.extra("etcd")}
	at, own := ctx.Layout.Etcd, ctx.Layout.Own
	// The program lies on the host, and not in etcd's image, which stays the project's own.
	gate, health := ctx.Layout.Program("etcd-gate"), "http://127.0.0.1:"+at.MetricsPort+"/health"
	return workload.PodService(ctx.Layout.Unit(model.Etcd), workload.Pods(ctx.Layout), workload.Pod{
		Cluster:  ctx.Cluster,
		Image:    ctx.ImageEtcd,
		Launcher: []string{gate, "run", at.Member(), at.Bootstrap, at.Initial},
		Command:  append([]string{imageDir + "etcd"}, EtcdArgs(c)...),
		Mounts: []workload.Mount{
			{Path: gate}, {Path: ctx.Layout.PKI.EtcdDir()}, {Path: at.Initial},
			{Path: at.Data, Write: true, Make: true},
			{Path: path.Dir(at.Bootstrap), Write: true, Make: true},
			{Path: path.Dir(own.Bootstrapped), Write: true},
		},
		Started: &corev1.Probe{PeriodSeconds: 1, TimeoutSeconds: 3, FailureThreshold: 1 << 30,
			ProbeHandler: corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{gate, "begun", health + "?exclude=NOSPACE",
				own.Bootstrapped, at.Bootstrap}}}},
		Live:      probe(health+"?serializable=true&exclude=NOSPACE&exclude=CORRUPT", 10, 8),
		Grace:     30,
		Unstamped: ctx.Pods[model.Etcd] == workload.PlainPod,
	}, []string{pki.EtcdServer, pki.EtcdPeer}, initialEnv(c))
}

// apiServerPod is the kube-apiserver of a control plane as a static pod. Unlike
// the unit it does not refuse connections before it is ready (onlyReady): front
// doors find that out themselves.
func apiServerPod(ctx Context) (workload.Service, error) {
	files, err := apiServerFiles(ctx)
	if err != nil {
		return workload.Service{}, err
	}
	at := ctx.Layout.APIServer
	self := "https://127.0.0.1:" + at.Port
	mounts := []workload.Mount{{Path: ctx.Layout.PKI.Dir}}
	for _, f := range files {
		mounts = append(mounts, workload.Mount{Path: f.Path})
	}
	mounts = append(mounts, workload.Mount{Path: path.Dir(at.AuditLog), Write: true, Make: true})
	return workload.PodService(ctx.Layout.Unit(model.APIServer), workload.Pods(ctx.Layout), workload.Pod{
		Cluster:   ctx.Cluster,
		Image:     ctx.ImageAPIServer,
		Command:   workload.Words(imageDir+"kube-apiserver", apiServerFlags(ctx), ctx.extra("kube-apiserver")),
		Mounts:    mounts,
		Started:   probe(self+"/livez", 1, 300), // without etcd it gives up by itself
		Ready:     probe(self+"/readyz", 1, 3),
		Live:      probe(self+"/livez", 10, 8),
		Grace:     20,
		Unstamped: ctx.Pods[model.APIServer] == workload.PlainPod,
	}, apiServerCerts, files...)
}

// probe asks a URL on loopback.
func probe(url string, period, failures int32) *corev1.Probe {
	scheme, rest, _ := strings.Cut(url, "://")
	address, target, _ := strings.Cut(rest, "/")
	host, port, _ := strings.Cut(address, ":")
	return &corev1.Probe{PeriodSeconds: period, TimeoutSeconds: 15, FailureThreshold: failures, ProbeHandler: corev1.ProbeHandler{
		HTTPGet: &corev1.HTTPGetAction{Host: host, Port: intstr.Parse(port), Path: "/" + target,
			Scheme: corev1.URIScheme(strings.ToUpper(scheme))}}}
}

// RendererOf is how a component of the host is rendered.
func RendererOf(v model.Component, ctx Context) (Renderer, error) {
	t := Table[v]
	switch {
	case ctx.Pods[v] == workload.NoPod:
		return t.Render, nil
	case ctx.Pods[v] == workload.MadePod:
		return t.Made, nil
	case t.Pod == nil:
		return nil, fmt.Errorf("%s cannot run as a static pod", v)
	case !isNode(ctx.Self):
		return nil, fmt.Errorf("%s of %s should be a static pod, but no kubelet runs there", v, ctx.Self.Name)
	}
	return t.Pod, nil
}
