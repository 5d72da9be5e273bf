# Read-only. $CERTS: files of which the certificates are printed, never a key; $CONFS: kubeconfigs, printed without keys, tokens and passwords;
# $BALANCERS: configurations, printed whole; $KEYS: files that may hold a private key, of which only their mode and digest's begin are told.
export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
for f in $CERTS; do [ -f "$f" ] && { frame "cert $f"; sed -n '/-BEGIN CERTIFICATE-/,/-END CERTIFICATE-/p' "$f"; }; done
for f in $CONFS; do [ -f "$f" ] && { frame "conf $f"; sed '/-key-data:/d;/token:/d;/password:/d' "$f"; }; done
for f in $BALANCERS; do [ -f "$f" ] && { frame "balancer $f"; cat "$f"; }; done
frame "keys"; for f in $KEYS; do [ -f "$f" ] && grep -qs -- 'PRIVATE KEY-' "$f" && echo "$f $(stat -L -c '%a %U' "$f") $(sha256sum <"$f" | cut -c1-16)"; done
frame_end
