#!/usr/bin/env bash
# Writes internal/spec/flags-MINOR.txt: the flags that the programs of a Kubernetes
# version take, from their own --help and, for those that it hides (deprecated ones),
# from their source. Usage: hack/flags.sh 1.36 STORE
set -euo pipefail
minor=${1:?usage: flags.sh MINOR STORE} store=${2:?usage: flags.sh MINOR STORE}
hidden() {
	case $1 in
	etcd) echo config-file version ;;
	kube-apiserver) echo kubelet-port kubelet-read-only-port apiserver-count admission-control default-watch-cache-size audit-webhook-batch-initial-backoff ;;
	kube-controller-manager) echo allow-untagged-cloud node-sync-period ;;
	kube-proxy) echo healthz-port metrics-port ;;
	kubelet) echo minimum-container-ttl-duration maximum-dead-containers-per-container maximum-dead-containers experimental-mounter-path experimental-allocatable-ignore-eviction ;;
	esac
}
for c in etcd kube-apiserver kube-controller-manager kube-proxy kube-scheduler kubelet; do
	for p in "$store"/sha256/*/"$c"; do
		case $c in
		etcd) of=3.6 version=$("$p" --version | sed -n 's/^etcd Version: //p') ;;
		*) of=$minor version=$("$p" --version | sed 's/.* v//') ;;
		esac
		case $version in "$of".*) ;; *) continue ;; esac
		{
			"$p" --help 2>&1 | grep -oE '^ +(-[a-zA-Z], )?--[a-zA-Z0-9-]+' | sed 's/.*--//'
			hidden "$c" | tr ' ' '\n'
		} | sed "s/^/$c /"
		break
	done
done | LC_ALL=C sort -u >"internal/spec/flags-$minor.txt"
