package layout

// BalancerConfigs are where distributions put the configuration of load
// balancers, as patterns of the shell.
var BalancerConfigs = []string{"/etc/nginx/nginx.conf", "/etc/nginx/*.d/*.conf", "/etc/nginx/stream*/*", "/etc/haproxy/*.cfg",
	"/etc/haproxy/*.d/*.cfg", "/etc/keepalived/keepalived.conf", "/etc/keepalived/*.d/*.conf"}
