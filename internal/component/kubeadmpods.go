package component

import (
	"fmt"
	"maps"
	"net"
	"path"
	"slices"
	"strings"

	"quorate.dev/quorate/internal/layout"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/pki"
	"quorate.dev/quorate/internal/workload"
)

// kubeadmOwn are the flags that kubeadm sets by itself, by component
// (cmd/kubeadm/app/phases/{controlplane,etcd} of v1.35 and v1.36). Those that
// the cluster decides are compared all the same: see kubeadmWants.
var kubeadmOwn = map[model.Component][]string{
	model.Etcd: strings.Fields(`name listen-client-urls advertise-client-urls listen-peer-urls initial-advertise-peer-urls data-dir
		cert-file key-file trusted-ca-file client-cert-auth peer-cert-file peer-key-file peer-trusted-ca-file peer-client-cert-auth
		snapshot-count listen-metrics-urls feature-gates watch-progress-notify-interval experimental-initial-corrupt-check
		experimental-watch-progress-notify-interval initial-cluster initial-cluster-state initial-cluster-token`),
	model.APIServer: strings.Fields(`advertise-address enable-admission-plugins service-cluster-ip-range service-account-key-file
		service-account-signing-key-file service-account-issuer client-ca-file tls-cert-file tls-private-key-file
		kubelet-client-certificate kubelet-client-key enable-bootstrap-token-auth secure-port allow-privileged
		kubelet-preferred-address-types requestheader-username-headers requestheader-group-headers requestheader-extra-headers-prefix
		requestheader-client-ca-file requestheader-allowed-names proxy-client-cert-file proxy-client-key-file
		etcd-servers etcd-cafile etcd-certfile etcd-keyfile authorization-mode`),
	model.ControllerManager: strings.Fields(`bind-address leader-elect kubeconfig authentication-kubeconfig authorization-kubeconfig
		client-ca-file requestheader-client-ca-file root-ca-file service-account-private-key-file cluster-signing-cert-file
		cluster-signing-key-file use-service-account-credentials controllers allocate-node-cidrs cluster-cidr service-cluster-ip-range
		cluster-name`),
	model.Scheduler: strings.Fields(`bind-address leader-elect kubeconfig authentication-kubeconfig authorization-kubeconfig`),
}

// SetByKubeadm says that kubeadm gives a component the flag by itself.
func SetByKubeadm(v model.Component, flag string) bool { return slices.Contains(kubeadmOwn[v], flag) }

// kubeadmWants are the flags that the cluster file decides, as kubeadm writes them.
func kubeadmWants(ctx Context, v model.Component) map[string]string {
	at, self := ctx.Layout, ctx.Self.Address
	own := map[model.Component]map[string]string{
		model.Etcd: {
			"name": ctx.Self.Name, "data-dir": at.Etcd.Data,
			"listen-client-urls":    at.Etcd.ClientURL("127.0.0.1") + "," + at.Etcd.ClientURL(self),
			"advertise-client-urls": at.Etcd.ClientURL(self), "listen-peer-urls": at.Etcd.PeerURL(self),
			"initial-advertise-peer-urls": at.Etcd.PeerURL(self),
			"listen-metrics-urls":         "http://" + net.JoinHostPort("127.0.0.1", at.Etcd.MetricsPort),
		},
		model.APIServer: {
			"advertise-address": self, "secure-port": at.APIServer.Port, "service-cluster-ip-range": ctx.Spec.Network.ServiceCIDR,
			"service-account-issuer": ctx.Issuer(), "etcd-servers": at.Etcd.ClientURL("127.0.0.1"),
		},
		model.ControllerManager: {
			"cluster-name": ctx.Cluster, "cluster-cidr": ctx.Spec.Network.PodCIDR, "service-cluster-ip-range": ctx.Spec.Network.ServiceCIDR,
		},
		model.Scheduler: {},
	}[v]
	if v == model.APIServer && ctx.externalEtcd() {
		own["etcd-servers"] = strings.Join(etcdEndpoints(ctx), ",")
	}
	maps.Copy(own, ctx.kubeadmExtra(v))
	maps.Copy(own, ctx.extra(v.String()))
	if v == model.Etcd {
		delete(own, "initial-cluster-token") // read by a member without data only
	}
	return own
}

// made is a component whose manifest kubeadm writes.
func made(ctx Context, v model.Component, image string, phase []string, reads, certs []string,
	files ...workload.File) (workload.Service, error) {
	if ctx.Spec.Adopted != nil { // its flags and files are others' but for those that the file names
		return workload.MadeService(ctx.Layout.Unit(v), workload.Pods(ctx.Layout), workload.Made{Image: image, Flags: ctx.extra(v.String()),
			Phase: phase, Loose: true}, certs), nil
	}
	patches, err := ctx.patchFiles(v)
	if err != nil {
		return workload.Service{}, fmt.Errorf("write the patches of %s: %w", v, err)
	}
	return workload.MadeService(ctx.Layout.Unit(v), workload.Pods(ctx.Layout), ctx.customised(v, workload.Made{
		Image: image, Flags: kubeadmWants(ctx, v), Others: kubeadmOwn[v], Reads: reads, Phase: phase,
	}), certs, append(files, patches...)...), nil
}

func etcdMade(ctx Context) (workload.Service, error) {
	return made(ctx, model.Etcd, ctx.ImageEtcd, []string{"etcd", "local"}, nil, []string{pki.EtcdServer, pki.EtcdPeer})
}

// apiServerMade: what it reads once besides its flags is the audit policy. It has
// no authentication configuration: a join by hand reads cluster-info without a name.
func apiServerMade(ctx Context) (workload.Service, error) {
	files, err := apiServerFiles(ctx)
	if err != nil {
		return workload.Service{}, err
	}
	return made(ctx, model.APIServer, ctx.ImageAPIServer, []string{"control-plane", "apiserver"}, nil, apiServerCerts, files[:1]...)
}

func controllerManagerMade(ctx Context) (workload.Service, error) {
	return made(ctx, model.ControllerManager, ctx.ImageControllerManager, []string{"control-plane", "controller-manager"},
		[]string{ctx.Layout.PKI.ConfFile(pki.ControllerManagerConf)}, []string{pki.ControllerManagerConf})
}

// schedulerMade: kubeadm gives the scheduler no configuration, unless the user does.
func schedulerMade(ctx Context) (workload.Service, error) {
	var files []workload.File
	if ctx.schedulerConfigured() {
		config, err := schedulerConfig(ctx)
		if err != nil {
			return workload.Service{}, err
		}
		files = append(files, config)
	}
	return made(ctx, model.Scheduler, ctx.ImageScheduler, []string{"control-plane", "scheduler"},
		[]string{ctx.Layout.PKI.ConfFile(pki.SchedulerConf)}, []string{pki.SchedulerConf}, files...)
}

// ManifestPath is where kubeadm writes the manifest of a component.
func ManifestPath(at layout.Layout, v model.Component) string {
	return path.Join(at.Kubelet.Manifests, at.Unit(v)+".yaml")
}
