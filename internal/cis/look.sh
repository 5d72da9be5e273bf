# Read-only. Prints what the checks judge, in frames of host.Ask. $NAMES: units and
# the programs of that name; $FILES and $TREES: whose mode and owner count; $SUMS:
# files to digest; $ENCRYPTION: the API server's configuration of encryption, of
# which only the names of the providers are printed.
export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

# pid_of NAME: the unit's main process, else root's first process of that program.
pid_of() {
	p=$(systemctl show -p MainPID --value "$1.service" 2>/dev/null)
	if [ "${p:-0}" != 0 ]; then echo "$p"; return; fi
	for f in $(grep -slaxzE "(.*/)?$1" /proc/[0-9]*/cmdline); do
		d=${f%/cmdline} first=$(tr '\0' '\n' <"$f" 2>/dev/null | head -n 1)
		if [ "${first##*/}" = "$1" ] && [ "$(stat -c %u "$d" 2>/dev/null)" = 0 ]; then echo "${d#/proc/}"; return; fi
	done
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
