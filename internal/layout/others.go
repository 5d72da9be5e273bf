package layout

// BalancerConfigs are where distributions put the configuration of load
// balancers, as patterns of the shell. Those that quorate wrote are
// Layout.BalancerConfigs.
var BalancerConfigs = []string{"/etc/nginx/nginx.conf", "/etc/nginx/*.d/*.conf", "/etc/nginx/stream*/*", "/etc/haproxy/*.cfg",
	"/etc/haproxy/*.d/*.cfg", "/etc/keepalived/keepalived.conf", "/etc/keepalived/*.d/*.conf"}

// References are where people's own files may name the servers of a cluster, as
// patterns of the shell: configuration, timers, kubeconfigs in homes.
var References = []string{"/etc", "/var/spool/cron", "/root/.kube", "/home/*/.kube"}

// OwnReferences are beginnings of those below them in which the system itself
// names a host's own address.
var OwnReferences = []string{"/etc/hosts$", "/etc/systemd/network/", "/etc/network/"}

// BalancerConfigs are the configurations of load balancers that quorate wrote.
func (l Layout) BalancerConfigs() []string {
	return []string{l.FrontDoor.Config, l.HAProxy.Config, l.Keepalived.Config}
}
