# Read-only. Prints what the checks judge, in frames of host.Ask. $NAMES: units and
# the programs of that name; $FILES and $TREES: whose mode and owner count; $SUMS:
# files to digest; $ENCRYPTION: the API server's configuration of encryption, of
# which only the names of the providers are printed.
export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

# pid_of NAME: the main process of the unit, else of the container of that name in
# kube-system. The process list would do for neither: anyone can take a name.
pid_of() {
	p=$(systemctl show -p MainPID --value "$1.service" 2>/dev/null)
	if [ "${p:-0}" != 0 ]; then echo "$p"; return; fi
	[ -n "$crictl" ] || return 0
	id=$(runtime ps -q --state Running --name "^$1\$" --label io.kubernetes.pod.namespace=kube-system 2>/dev/null | head -n 1)
	[ -z "$id" ] || runtime inspect -o go-template --template '{{.info.pid}}' "$id" 2>/dev/null
}

for n in $NAMES; do
	p=$(pid_of "$n")
	[ -n "$p" ] || continue
	frame "argv $n"; cat "/proc/$p/cmdline" 2>/dev/null
	# In a pod the file lies in the container's own root.
	c=$(tr '\0' '\n' <"/proc/$p/cmdline" 2>/dev/null | sed -n 's/^--config=//p' | head -n 1)
	case $n in kubelet | kube-proxy | kube-scheduler) [ -z "$c" ] || { frame "config $n"; cat "/proc/$p/root$c" 2>/dev/null; } ;; esac
done
frame "files"; stat -c '%a %U:%G %n' -- $FILES 2>/dev/null
find $TREES -type f -printf '%m %u:%g %p\n' 2>/dev/null
find $TREES -type d -printf '%m %u:%g %p/\n' 2>/dev/null
frame "sums"; sha256sum -- $SUMS 2>/dev/null
frame "providers"; sed -n 's/^ *- *"\{0,1\}\(identity\|secretbox\|aescbc\|aesgcm\|kms\)"\{0,1\}:.*/\1/p' $ENCRYPTION 2>/dev/null
frame_end
