# network.sh LAB HOST...: a bridge on each host and routes between them, by hand. The first host is a control plane.
set -eu
lab=$1
shift
quorate=${QUORATE:-quorate}
on() { h=$1; shift; "$quorate" lab exec "$lab/$h" -- sh -c "$*"; }
nodes=
for h; do
	for i in $(seq 300); do
		cidr=$(on "$1" "kubectl --kubeconfig /etc/kubernetes/admin.conf get node $h -o 'jsonpath={.spec.podCIDR}' 2>/dev/null" || true)
		[ -z "$cidr" ] || break
		sleep 0.5
	done
	address=$(on "$h" "ip -4 -o addr show scope global | sed -n 's/.* inet \([^/]*\).*/\1/p' | grep -v '^10\.244\.' | head -n 1")
	nodes="$nodes$h $cidr $address
"
done
for h; do
	routes=
	while read -r n cidr address; do
		if [ "$n" = "$h" ]; then own=$cidr; elif [ -n "$n" ]; then routes="$routes
ip route replace $cidr via $address"; fi
	done <<EOF
$nodes
EOF
	on "$h" "cat >/etc/cni/net.d/10-bridge.conflist" <<EOF
{"cniVersion":"1.0.0","name":"pods","plugins":[
 {"type":"bridge","bridge":"cni0","isGateway":true,"hairpinMode":true,"ipMasq":false,
  "ipam":{"type":"host-local","ranges":[[{"subnet":"$own"}]],"routes":[{"dst":"0.0.0.0/0"}]}},
 {"type":"portmap","capabilities":{"portMappings":true}}]}
EOF
	printf '#!/bin/sh\n# routes to the pods of the other hosts%s\n' "$routes" | on "$h" "cat >/etc/pod-routes.sh && chmod 755 /etc/pod-routes.sh"
	printf '[Unit]\nAfter=network-online.target\n\n[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/etc/pod-routes.sh\n\n[Install]\nWantedBy=multi-user.target\n' |
		on "$h" "cat >/etc/systemd/system/pod-routes.service && systemctl daemon-reload && systemctl enable -q pod-routes && systemctl restart pod-routes"
done
