# Prints where a name leads ($1, by getent) once /etc/hosts is what comes on stdin, and systemd-resolved and nscd, which know
# the file as it is, are not asked. All of it is mounted in a namespace that ends with it: nothing on the host changes.
command -v unshare >/dev/null || { echo "unshare is not there; install util-linux" >&2; exit 1; }
exec unshare -m --propagation private sh -euc '
export LC_ALL=C
bind() { [ ! -e "$2" ] || mount --bind "$1" "$2"; }
resolv=/run/systemd/resolve/resolv.conf
mount -t tmpfs -o size=4m,mode=755 quorate /mnt
cat >/mnt/hosts
echo "hosts: files dns" >/mnt/nsswitch.conf
mount --bind /mnt/hosts /etc/hosts
bind /mnt/nsswitch.conf /etc/nsswitch.conf
[ ! -e $resolv ] || bind $resolv /etc/resolv.conf
[ ! -d /run/nscd ] || mount -t tmpfs quorate /run/nscd
n=0
timeout 4 getent ahosts "$1" >/mnt/leads || n=$?
head -n 64 /mnt/leads
case $n in 0 | 2) ;; 124) echo silent ;; *) exit $n ;; esac' sh "$1"
