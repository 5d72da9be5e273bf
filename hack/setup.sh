#!/usr/bin/env bash
# Installs what building, testing and labs need and this machine lacks.
set -euo pipefail

die() { echo "setup: $*" >&2; exit 1; }

[ "$(uname -s)" = Linux ] || die "lab hosts are systemd-nspawn containers: they need Linux, and this is $(uname -s). On other systems: go build ./cmd/quorate && go test ./..."
[ "$(id -u)" = 0 ] || die "lab hosts need root; next: run the same command with sudo (or: make build lint, go test ./... need none)"

if ! command -v go >/dev/null; then
	die "there is no Go on the PATH nor in /usr/local/go/bin; next: install Go 1.26 or newer from https://go.dev/dl/ there"
fi
version=$(go env GOVERSION)
case $version in
go1.2[6-9]* | go1.[3-9][0-9]* | devel*) ;;
*) die "this is $version, and quorate needs go1.26 or newer; next: https://go.dev/dl/" ;;
esac

# What is looked for, and the Debian package that has it: a program, or a file
# by its path.
needs="
debootstrap debootstrap
systemd-nspawn systemd-container
systemd-analyze systemd
ssh openssh-client
sshd openssh-server
nft nftables
ip iproute2
ss iproute2
nsenter util-linux
mount mount
gcc gcc
pkg-config pkg-config
nginx nginx-light
keepalived keepalived
haproxy haproxy
ps procps
curl curl
openssl openssl
socat socat
zstd zstd
/usr/lib/nginx/modules/ngx_stream_module.so libnginx-mod-stream
/usr/share/keyrings/debian-archive-keyring.gpg debian-archive-keyring
/etc/ssl/certs/ca-certificates.crt ca-certificates
/usr/lib/*/libseccomp.a libseccomp-dev
/usr/lib/*/libc.a libc6-dev
"
export PATH=$PATH:/usr/sbin:/sbin
missing=()
while read -r what package; do
	case $what in
	'') continue ;;
	/*) compgen -G "$what" >/dev/null && continue ;;
	*) command -v "$what" >/dev/null && continue ;;
	esac
	missing+=("$package")
done <<<"$needs"

if [ ${#missing[@]} -gt 0 ]; then
	mapfile -t missing < <(printf '%s\n' "${missing[@]}" | sort -u)
	command -v apt-get >/dev/null || die "this machine lacks ${missing[*]} (names of Debian packages) and has no apt-get; next: install them by hand"
	echo "setup: installing ${missing[*]}"
	export DEBIAN_FRONTEND=noninteractive
	# Programs are wanted, not services: nothing that is installed may start.
	policy=/usr/sbin/policy-rc.d
	if [ ! -e $policy ]; then
		printf '#!/bin/sh\nexit 101\n' >$policy
		chmod +x $policy
		trap 'rm -f $policy' EXIT
	fi
	log=$(mktemp)
	apt-get update -q >"$log" 2>&1 &&
		apt-get install -q -y --no-install-recommends "${missing[@]}" >>"$log" 2>&1 ||
		{ tail -n 25 "$log" >&2; die "apt-get failed, see above"; }
	rm -f "$log"
	for package in "${missing[@]}"; do
		case $package in
		haproxy) systemctl disable -q haproxy.service 2>/dev/null || true ;;
		keepalived) systemctl disable -q keepalived.service 2>/dev/null || true ;;
		nginx-light) systemctl disable -q nginx.service 2>/dev/null || true ;;
		openssh-server) systemctl disable -q ssh.service 2>/dev/null || true ;;
		esac
	done
fi
mkdir -p /run/sshd # sshd does not start without it

# What no package can give.
unshare --mount --pid --fork true 2>/dev/null ||
	die "this machine does not let root make namespaces (an unprivileged container?); labs need that; next: use a real or a virtual machine, or a privileged container"
grep -qw overlay /proc/filesystems || modprobe -q overlay 2>/dev/null || die "the kernel has no overlay file system, which lab hosts are made of"
room() { # $1: folder, $2: GiB
	mkdir -p "$1"
	local free
	free=$(df -Pk "$1" | awk 'NR == 2 {print int($4 / 1048576)}')
	[ "$free" -ge "$2" ] || echo "setup: warning: $1 has $free GiB free; the artefacts and labs like to have $2" >&2
}
room "${XDG_CACHE_HOME:-$HOME/.cache}" 15
room /var/lib 5
memory=$(awk '/^MemAvailable/ {print int($2 / 1048576)}' /proc/meminfo)
[ "$memory" -ge 5 ] || echo "setup: warning: $memory GiB of memory are free; five lab hosts with a cluster take 3, building Kubernetes 4" >&2
echo "setup: this machine has all it needs ($version)"
