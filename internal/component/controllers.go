package component

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	component "k8s.io/component-base/config/v1alpha1"
	scheduler "k8s.io/kube-scheduler/config/v1"

	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/layout"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/pki"
	"quorate.dev/quorate/internal/workload"
)

// ControllerManager is the kube-controller-manager of a control plane. Several
// elect a leader. With the pod network of quorate the nodes' pod networks are
// given by quorate (Client.SetPodCIDR), otherwise by this controller.
func ControllerManager(ctx Context) (workload.Service, error) {
	root := ctx.Layout
	ctx.Layout = root.For(model.ControllerManager)
	at, keys := ctx.Layout.ControllerManager, ctx.Layout.PKI
	conf, err := ctx.byPath(at.Kubeconfig, ctx.localAPIServer(), pki.ControllerManagerClient)
	if err != nil {
		return workload.Service{}, err
	}
	flags := map[string]string{
		"kubeconfig":                       at.Kubeconfig,
		"authentication-kubeconfig":        at.Kubeconfig,
		"authorization-kubeconfig":         at.Kubeconfig,
		"bind-address":                     "127.0.0.1",
		"client-ca-file":                   keys.CA.Cert,
		"requestheader-client-ca-file":     keys.FrontProxyCA.Cert,
		"requestheader-allowed-names":      pki.FrontProxyUser,
		"tls-cert-file":                    keys.Leaf(pki.ControllerManagerServer).Cert,
		"tls-private-key-file":             keys.Leaf(pki.ControllerManagerServer).Key,
		"tls-min-version":                  "VersionTLS12",
		"cluster-name":                     ctx.Cluster,
		"cluster-signing-cert-file":        keys.CA.Cert,
		"cluster-signing-key-file":         keys.CA.Key,
		"cluster-signing-duration":         signingDuration(ctx),
		"root-ca-file":                     keys.CA.Cert,
		"service-account-private-key-file": keys.SAKey,
		"service-cluster-ip-range":         ctx.Spec.Network.ServiceCIDR,
		"use-service-account-credentials":  "true",
		// The last two sign kube-public/cluster-info and remove old tokens.
		"controllers":         "*,bootstrapsigner,tokencleaner",
		"leader-elect":        "true",
		"allocate-node-cidrs": strconv.FormatBool(!ctx.bridged()),
		"profiling":           "false",
		// Pods that have ended are kept for who asks, not without limit.
		"terminated-pod-gc-threshold": "1000",
	}
	if !ctx.bridged() {
		flags["cluster-cidr"] = ctx.Spec.Network.PodCIDR
		flags["node-cidr-mask-size"] = strconv.Itoa(ctx.Spec.Network.NodeCIDRMaskSize)
	}
	return private(workload.UnitService(ctx.Layout.Unit(model.ControllerManager), workload.Unit{
		Cluster:     ctx.Cluster,
		Description: "Kubernetes controller manager",
		Docs:        "https://kubernetes.io/docs/reference/command-line-tools-reference/kube-controller-manager/",
		After:       []string{ctx.Layout.Service(model.APIServer)},
		Exec:        workload.CommandLine(ctx.Layout.Program("kube-controller-manager"), flags, ctx.extra("kube-controller-manager")),
		Service:     slices.Concat([]string{"LimitNOFILE=65536"}, confined, pings, ctx.environment("kube-controller-manager")),
	}, []string{pki.ControllerManagerClient, pki.ControllerManagerServer}, conf),
		root, model.ControllerManager, reads(flags, keys.Leaf(pki.ControllerManagerClient))...), nil
}

// signingDuration is how long certificates of kubelets are valid: as long as
// all others. Kubelets renew theirs by themselves.
func signingDuration(ctx Context) string {
	return fmt.Sprintf("%dh", ctx.Spec.PKI.CertificateDays*24)
}

// Scheduler is the kube-scheduler of a control plane. Several elect a leader.
func Scheduler(ctx Context) (workload.Service, error) {
	root := ctx.Layout
	ctx.Layout = root.For(model.Scheduler)
	at, keys := ctx.Layout.Scheduler, ctx.Layout.PKI
	conf, err := ctx.byPath(at.Kubeconfig, ctx.localAPIServer(), pki.SchedulerClient)
	if err != nil {
		return workload.Service{}, err
	}
	config, err := schedulerConfig(ctx)
	if err != nil {
		return workload.Service{}, err
	}
	flags := map[string]string{
		"config":                       at.Config,
		"authentication-kubeconfig":    at.Kubeconfig,
		"authorization-kubeconfig":     at.Kubeconfig,
		"bind-address":                 "127.0.0.1",
		"client-ca-file":               keys.CA.Cert,
		"requestheader-client-ca-file": keys.FrontProxyCA.Cert,
		"requestheader-allowed-names":  pki.FrontProxyUser,
		"tls-cert-file":                keys.Leaf(pki.SchedulerServer).Cert,
		"tls-private-key-file":         keys.Leaf(pki.SchedulerServer).Key,
		"tls-min-version":              "VersionTLS12",
	}
	return private(workload.UnitService(ctx.Layout.Unit(model.Scheduler), workload.Unit{
		Cluster:     ctx.Cluster,
		Description: "Kubernetes scheduler",
		Docs:        "https://kubernetes.io/docs/reference/command-line-tools-reference/kube-scheduler/",
		After:       []string{ctx.Layout.Service(model.APIServer)},
		Exec:        workload.CommandLine(ctx.Layout.Program("kube-scheduler"), flags, ctx.extra("kube-scheduler")),
		Service:     slices.Concat([]string{"LimitNOFILE=65536"}, confined, pings, ctx.environment("kube-scheduler")),
	}, []string{pki.SchedulerClient, pki.SchedulerServer}, conf,
		config),
		root, model.Scheduler, reads(flags, keys.Leaf(pki.SchedulerClient))...), nil
}

// schedulerConfig is the configuration of the scheduler, the user's fields over ours.
func schedulerConfig(ctx Context) (workload.File, error) {
	at := ctx.Layout.Scheduler
	text, err := renderWith(scheduler.KubeSchedulerConfiguration{
		TypeMeta:               metav1.TypeMeta{APIVersion: scheduler.SchemeGroupVersion.String(), Kind: "KubeSchedulerConfiguration"},
		ClientConnection:       component.ClientConnectionConfiguration{Kubeconfig: at.Kubeconfig},
		LeaderElection:         component.LeaderElectionConfiguration{LeaderElect: new(true)},
		DebuggingConfiguration: component.DebuggingConfiguration{EnableProfiling: new(false)},
	}, "spec.kubeSchedulerConfiguration", ctx.Spec.KubeSchedulerConfiguration)
	if err != nil {
		return workload.File{}, fmt.Errorf("write %s: %w", at.Config, err)
	}
	return workload.File{File: host.File{Path: at.Config, Content: text}}, nil
}

// reads are the values of flags, and the certificate that a kubeconfig names.
func reads(flags map[string]string, client layout.Pair) []string {
	return append(slices.Collect(maps.Values(flags)), client.Cert, client.Key)
}
