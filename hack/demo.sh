#!/usr/bin/env bash
# A cluster of three control planes and two workers on this machine. Again is
# harmless: what is there stays, what is off is switched on, the file is applied.
set -euo pipefail
quorate=$(realpath "${1:?usage: demo.sh QUORATE}")
mkdir -p demo
cd demo

show() { # a command, as a person would type it
	echo
	echo "\$ ${*/#$quorate/quorate}"
	"$@"
}

hosts=$("$quorate" lab list | awk '$1 ~ /^demo\// {print $1, $4}')
if [ -n "$hosts" ] && ! [ -e demo.yaml ]; then
	"$quorate" lab down demo # its file and its key are lost
	hosts=
fi
if [ -z "$hosts" ]; then
	show "$quorate" lab up demo --control-planes 3 --workers 2
else
	echo "demo: the lab is there already"
	while read -r host state; do
		[[ $state == running* ]] || show "$quorate" lab power-on "$host"
	done <<<"$hosts"
fi
show "$quorate" apply -f demo.yaml --yes
show "$quorate" status -f demo.yaml || true # it says itself what is down
rm -f demo.kubeconfig
show "$quorate" kubeconfig -f demo.yaml --host cp1 --to demo.kubeconfig
kubectl=$("$quorate" artifacts list | awk '$5 == "kubectl" {print substr($NF, 1, 12)}' | tail -n 1)
kubectl=$(compgen -G "${XDG_CACHE_HOME:-$HOME/.cache}/quorate/store/sha256/$kubectl*/kubectl")
ln -sf "$kubectl" kubectl
show ./kubectl --kubeconfig demo.kubeconfig get nodes -o wide
show ./kubectl --kubeconfig demo.kubeconfig get pods -A
cat <<END

The cluster is up. In $PWD:
  ./kubectl --kubeconfig demo.kubeconfig get pods -A
  $quorate status -f demo.yaml
  $quorate lab power-off demo/cp1 --hard    # pull a plug, then ask for the status again
  $quorate lab power-on demo/cp1
  $quorate lab ssh demo/cp2
Take it away: make demo-down
END
