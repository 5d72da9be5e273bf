package layout

import (
	"fmt"
	"path"
	"regexp"
	"strings"

	"quorate.dev/quorate/internal/model"
)

// Script is the text of a POSIX shell script, after assignments of the layout's
// variables that it names: AT_… are paths, PORT_… ports, UNIT_… unit names, USER_… users.
func (l Layout) Script(text string) string {
	var b strings.Builder
	for _, v := range l.vars() {
		if strings.Contains(text, v.name) {
			b.WriteString(v.name + "='" + v.value + "'\n")
		}
	}
	return b.String() + text
}

type variable struct{ name, value string }

// vars are all names of a layout, as the scripts know them.
func (l Layout) vars() []variable {
	return []variable{
		{"AT_CONFIG", l.Own.Config}, {"AT_MARKER", l.Own.Marker}, {"AT_SUPERSEDED", l.Own.Superseded},
		{"AT_BOOTSTRAPPED", l.Own.Bootstrapped}, {"AT_FENCE", l.Own.Fence}, {"AT_UNFENCED", l.Own.Unfenced}, {"AT_RECOVERY", l.Own.Recovery},
		{"AT_PROGRAMS", l.Own.Programs}, {"AT_VERSIONS", l.Own.Versions},
		{"AT_STATE", l.Own.State}, {"AT_KEPT", l.Own.Kept}, {"AT_SNAPSHOTS", l.Own.Snapshots}, {"AT_RESTORE", l.Own.Restore},
		{"AT_STORE", l.Own.Store}, {"AT_SEED", l.Own.Seed}, {"AT_RUN", l.Own.Run}, {"AT_STAGE", l.Own.Stage},
		{"AT_MODULES", l.Own.Modules}, {"AT_SYSCTLS", l.Own.Sysctls}, {"AT_CRICTL", l.Own.Crictl},

		{"AT_BIN", l.Bin}, {"AT_CNI_BIN", l.CNI.Bin}, {"AT_CNI_CONF", l.CNI.Conf}, {"AT_CNI_STATE", l.CNI.State},
		{"AT_KUBERNETES", l.Kubernetes}, {"AT_PKI", l.PKI.Dir},
		{"AT_CA_CERT", l.PKI.CA.Cert}, {"AT_CA_KEY", l.PKI.CA.Key}, {"AT_SA_KEY", l.PKI.SAKey}, {"AT_SA_PUB", l.PKI.SAPub},
		{"AT_ETCD_CA_CERT", l.PKI.EtcdCA.Cert}, {"AT_ETCD_CA_KEY", l.PKI.EtcdCA.Key},
		{"AT_FRONT_PROXY_CA_CERT", l.PKI.FrontProxyCA.Cert}, {"AT_FRONT_PROXY_CA_KEY", l.PKI.FrontProxyCA.Key},
		{"AT_ENCRYPTION", l.PKI.Encryption}, {"AT_CONF", l.PKI.Conf},
		{"AT_ETCD_DATA", l.Etcd.Data}, {"AT_ETCD_INITIAL", l.Etcd.Initial}, {"AT_ETCD_BOOTSTRAP", l.Etcd.Bootstrap},
		{"AT_AUDIT_POLICY", l.APIServer.AuditPolicy}, {"AT_AUDIT_LOG", l.APIServer.AuditLog}, {"AT_AUTHENTICATION", l.APIServer.Authentication},
		{"AT_ADMISSION", l.APIServer.Admission},
		{"AT_API_SERVER_LOGS", l.APIServer.Logs}, {"AT_API_SERVER_RUN", l.APIServer.Run},
		{"AT_CONTROLLER_MANAGER_CONF", l.ControllerManager.Kubeconfig},
		{"AT_SCHEDULER_CONF", l.Scheduler.Kubeconfig}, {"AT_SCHEDULER_CONFIG", l.Scheduler.Config},
		{"AT_FRONT_DOOR", l.FrontDoor.Program}, {"AT_FRONT_DOOR_STREAM", l.FrontDoor.Stream},
		{"AT_FRONT_DOOR_STREAM64", l.FrontDoor.Stream64}, {"AT_FRONT_DOOR_CONFIG", l.FrontDoor.Config},
		{"AT_BALANCER_CONFIG", l.Balancer.Config}, {"AT_BALANCER_LEAVING", l.Balancer.Leaving},
		{"AT_HAPROXY", l.HAProxy.Program}, {"AT_HAPROXY_CONFIG", l.HAProxy.Config}, {"AT_HAPROXY_LOGIN", l.HAProxy.Login},
		{"AT_HAPROXY_RUN", l.HAProxy.Run},
		{"AT_KEEPALIVED", l.Keepalived.Program}, {"AT_KEEPALIVED_CONFIG", l.Keepalived.Config}, {"AT_KEEPALIVED_RUN", l.Keepalived.Run},
		{"AT_KEEPALIVED_APPLIED", l.Keepalived.Applied},
		{"AT_FRONT_DOOR_STATE", l.FrontDoor.State}, {"AT_FRONT_DOOR_RUN", l.FrontDoor.Run},
		{"AT_CONFLIST", l.PodNetwork.Conflist}, {"AT_ROUTES", l.PodNetwork.Routes}, {"AT_MASQUERADE", l.PodNetwork.Masquerade},
		{"AT_ROUTES_RUN", l.PodNetwork.Run}, {"AT_ROUTES_APPLIED", l.PodNetwork.Applied},
		{"AT_CONTAINERD_CONFIG", l.Containerd.Config}, {"AT_CONTAINERD_SOCKET", l.Containerd.Socket},
		{"AT_CONTAINERD_ROOT", l.Containerd.Root}, {"AT_CONTAINERD_STATE", l.Containerd.State}, {"AT_CONTAINERD_OPT", l.Containerd.Opt},
		{"AT_KUBELET", l.Kubelet.Root}, {"AT_KUBELET_CONFIG", l.Kubelet.Config}, {"AT_KUBELET_CONF", l.Kubelet.Kubeconfig},
		{"AT_KUBELET_FLAGS", l.Kubelet.Flags}, {"AT_KUBELET_INSTANCE", l.Kubelet.Instance}, {"AT_COMMANDS", l.Commands},
		{"AT_KUBELET_BOOTSTRAP", l.Kubelet.Bootstrap}, {"AT_KUBELET_CLIENT", l.Kubelet.ClientPEM}, {"AT_MANIFESTS", l.Kubelet.Manifests},
		{"AT_PATCHES", l.Kubelet.Patches},
		{"AT_POD_LOGS", l.Kubelet.PodLogs}, {"AT_CONTAINER_LOGS", l.Kubelet.Logs}, {"AT_VOLUME_PLUGINS", l.Kubelet.Plugins},
		{"AT_KUBE_PROXY", l.KubeProxy.Root}, {"AT_KUBE_PROXY_CONFIG", l.KubeProxy.Config}, {"AT_KUBE_PROXY_CONF", l.KubeProxy.Kubeconfig},
		{"AT_UNITS", l.UnitDir}, {"AT_FOREIGN", strings.Join(l.Foreign, " ")},

		{"PORT_ETCD_CLIENT", l.Etcd.ClientPort}, {"PORT_ETCD_PEER", l.Etcd.PeerPort}, {"PORT_ETCD_METRICS", l.Etcd.MetricsPort},
		{"PORT_API_SERVER", l.APIServer.Port}, {"PORT_CONTROLLER_MANAGER", l.ControllerManager.Port}, {"PORT_SCHEDULER", l.Scheduler.Port},
		{"PORT_FRONT_DOOR_HEALTH", l.FrontDoor.HealthPort}, {"PORT_BALANCER_HEALTH", l.Balancer.HealthPort},
		{"PORT_HAPROXY_HEALTH", l.HAProxy.HealthPort},
		{"PORT_BALANCER_ETCD", l.Balancer.EtcdPort},
		{"PORT_KUBELET", l.Kubelet.Port}, {"PORT_KUBELET_HEALTH", l.Kubelet.HealthPort},
		{"PORT_KUBE_PROXY_HEALTH", l.KubeProxy.HealthPort}, {"PORT_KUBE_PROXY_METRICS", l.KubeProxy.MetricsPort},

		{"USER_DOORS", l.DoorUser},
		{"UNIT_CONTAINERD", l.Unit(model.Containerd)}, {"UNIT_ETCD", l.Unit(model.Etcd)}, {"UNIT_API_SERVER", l.Unit(model.APIServer)},
		{"UNIT_CONTROLLER_MANAGER", l.Unit(model.ControllerManager)}, {"UNIT_SCHEDULER", l.Unit(model.Scheduler)},
		{"UNIT_FRONT_DOOR", l.Unit(model.FrontDoor)}, {"UNIT_BALANCER", l.Unit(model.Balancer)}, {"UNIT_HAPROXY", l.Unit(model.HAProxy)},
		{"UNIT_KEEPALIVED", l.Unit(model.Keepalived)}, {"UNIT_POD_NETWORK", l.Unit(model.PodNetwork)},
		{"UNIT_KUBELET", l.Unit(model.Kubelet)}, {"UNIT_KUBE_PROXY", l.Unit(model.KubeProxy)},
	}
}

var (
	plainPath = regexp.MustCompile(`^(/[A-Za-z0-9_.@:-]+)+$`)
	plainPort = regexp.MustCompile(`^[1-9][0-9]{0,4}$`)
	plainUser = regexp.MustCompile(`^[a-z_][a-z0-9_-]*$`)
	plainUnit = regexp.MustCompile(`^[A-Za-z0-9_.@:-]+$`)
)

// Validate says what in a layout cannot be used: scripts and unit files take
// its names unquoted, so paths are absolute, clean and without blanks, quotes
// or anything else that a shell or systemd would read in its own way.
func (l Layout) Validate() error {
	for _, v := range l.vars() {
		kind, _, _ := strings.Cut(v.name, "_")
		values := []string{v.value}
		if v.name == "AT_FOREIGN" {
			values = l.Foreign
		}
		for _, value := range values {
			switch {
			case kind == "PORT" && !plainPort.MatchString(value):
				return fmt.Errorf("%s is %q: give a port number", v.name, value)
			case kind == "USER" && !plainUser.MatchString(value):
				return fmt.Errorf("%s is %q: give a user's name of small letters, digits, _ and -", v.name, value)
			case kind == "UNIT" && !plainUnit.MatchString(value):
				return fmt.Errorf("%s is %q: give a unit's name without \".service\", of letters, digits and _.@:-", v.name, value)
			case kind == "AT" && (!plainPath.MatchString(value) || path.Clean(value) != value):
				return fmt.Errorf("%s is %q: give an absolute path of letters, digits and /_.@:-, without \".\" or \"..\"", v.name, value)
			}
		}
	}
	return nil
}
