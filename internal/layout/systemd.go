package layout

import "quorate.dev/quorate/internal/model"

// UnitDir is where systemd expects the units of an administrator.
const UnitDir = "/etc/systemd/system"

// Systemd is the layout of clusters whose components quorate runs as systemd
// units. Keys and kubeconfigs lie where kubeadm has them, so that its tools and
// habits find them.
func Systemd() Layout {
	const (
		kubernetes = "/etc/kubernetes"
		pki        = kubernetes + "/pki"
		kubelet    = "/var/lib/kubelet"
		kubeProxy  = "/var/lib/kube-proxy"
		runtime    = "/run/containerd"
		cniConf    = "/etc/cni/net.d"
		nginxRun   = "/run/kube-nginx"
		routesRun  = "/run/quorate-routes"
		haproxyRun = "/run/kube-haproxy"
		vrrpRun    = "/run/kube-keepalived"
	)
	own := Quorate()
	return Layout{
		Own: own,
		Bin: own.Programs + "/bin", Commands: "/usr/local/bin",
		CNI: CNI{Bin: own.Programs + "/cni", Conf: cniConf, State: "/var/lib/cni"},
		PKI: PKI{
			Dir:          pki,
			CA:           Pair{pki + "/ca.crt", pki + "/ca.key"},
			EtcdCA:       Pair{pki + "/etcd/ca.crt", pki + "/etcd/ca.key"},
			FrontProxyCA: Pair{pki + "/front-proxy-ca.crt", pki + "/front-proxy-ca.key"},
			SAKey:        pki + "/sa.key",
			SAPub:        pki + "/sa.pub",
			Encryption:   pki + "/encryption.yaml",
			Conf:         kubernetes,
		},
		Etcd: Etcd{Data: "/var/lib/etcd", Initial: kubernetes + "/etcd-initial.env", Bootstrap: own.Run + "/etcd-bootstrap.env",
			ClientPort: "2379", PeerPort: "2380", MetricsPort: "2381"},

		Kubernetes: kubernetes,
		APIServer: APIServer{AuditPolicy: kubernetes + "/audit-policy.yaml", AuditLog: "/var/log/kubernetes/audit.log",
			Logs: "/var/log/kubernetes", Run: "/run/kubernetes",
			Authentication: kubernetes + "/authentication.yaml", Admission: kubernetes + "/admission.yaml", Port: "6443"},
		ControllerManager: ControllerManager{Kubeconfig: kubernetes + "/controller-manager.conf", Port: "10257"},
		Scheduler:         Scheduler{Kubeconfig: kubernetes + "/scheduler.conf", Config: kubernetes + "/scheduler.yaml", Port: "10259"},
		FrontDoor: FrontDoor{Program: "/usr/sbin/nginx", Stream: "/usr/lib/nginx/modules/ngx_stream_module.so",
			Stream64: "/usr/lib64/nginx/modules/ngx_stream_module.so",
			Config:   own.Config + "/nginx/nginx.conf", State: "/var/lib/kube-nginx", Run: nginxRun, HealthPort: "8081"},
		Balancer: Balancer{Config: own.Config + "/lb.yaml", Leaving: "/run/quorate-lb/leaving", HealthPort: "9440", EtcdPort: "2378"},
		HAProxy: HAProxy{Program: "/usr/sbin/haproxy", Config: own.Config + "/haproxy/haproxy.cfg", Login: own.Config + "/haproxy/login.env",
			Run: haproxyRun, HealthPort: "8405"},
		Keepalived: Keepalived{Program: "/usr/sbin/keepalived", Config: own.Config + "/keepalived/keepalived.conf", Run: vrrpRun,
			Applied: vrrpRun + "/applied"},
		PodNetwork: PodNetwork{Conflist: cniConf + "/10-quorate.conflist", Routes: own.Config + "/routes",
			Masquerade: own.Config + "/masquerade.nft", Run: routesRun, Applied: routesRun + "/applied"},
		Containerd: Containerd{Config: "/etc/containerd/config.toml",
			Socket: runtime + "/containerd.sock", Root: "/var/lib/containerd", State: runtime,
			Opt: "/opt/containerd"},
		Kubelet: Kubelet{Root: kubelet, Config: kubelet + "/config.yaml", Kubeconfig: kubernetes + "/kubelet.conf",
			Flags: kubelet + "/kubeadm-flags.env", Instance: kubelet + "/instance-config.yaml",
			Bootstrap: kubernetes + "/bootstrap-kubelet.conf", ClientPEM: kubelet + "/pki/kubelet-client-current.pem",
			Manifests: kubernetes + "/manifests", Patches: kubernetes + "/patches", PodLogs: "/var/log/pods", Logs: "/var/log/containers",
			Plugins: "/usr/libexec/kubernetes/kubelet-plugins/volume/exec", Port: "10250", HealthPort: "10248"},
		KubeProxy: KubeProxy{Root: kubeProxy, Config: kubeProxy + "/config.yaml", Kubeconfig: kubernetes + "/kube-proxy.conf",
			HealthPort: "10256", MetricsPort: "10249"},

		DoorUser: "kube-lb",
		UnitDir:  UnitDir,
		Units: [model.NumComponents]string{
			model.Containerd: "containerd", model.Etcd: "etcd", model.APIServer: "kube-apiserver",
			model.ControllerManager: "kube-controller-manager", model.Scheduler: "kube-scheduler",
			model.FrontDoor: "kube-nginx", model.Balancer: "quorate-lb", model.HAProxy: "kube-haproxy",
			model.Keepalived: "kube-keepalived", model.PodNetwork: "quorate-routes", model.Kubelet: "kubelet",
			model.KubeProxy: "kube-proxy",
		},
		Foreign: []string{kubernetes + "/admin.conf", "/etc/rancher", "/var/lib/rancher/k3s", "/etc/k0s", "/var/lib/k0s"},
	}
}

// Quorate is where quorate keeps its own files, in every flavour.
func Quorate() Own {
	const config, programs, state, run = "/etc/quorate", "/opt/quorate", "/var/lib/quorate", "/run/quorate"
	return Own{
		Config: config, Marker: config + "/cluster", Superseded: config + "/etcd-superseded",
		Bootstrapped: config + "/etcd-bootstrapped", Fence: config + "/etcd-fence.nft", Unfenced: config + "/etcd-unfenced",
		Recovery: config + "/etcd-recovery.json",
		Programs: programs, Versions: programs + "/versions",
		State: state, Kept: state + "/kept", Snapshots: state + "/snapshots", Restore: state + "/restore.db", Store: state + "/store",
		Seed: "/usr/share/quorate/store",
		Run:  run, Stage: run + "/stage",
		Modules: "/etc/modules-load.d/quorate.conf", Sysctls: "/etc/sysctl.d/90-quorate.conf", Crictl: "/etc/crictl.yaml",
	}
}
