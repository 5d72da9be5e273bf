package step

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"quorate.dev/quorate/internal/etcd"
	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/kube"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/pki"
)

// SnapshotDir is where snapshots lie on the hosts.
const SnapshotDir = "/var/lib/quorate/snapshots"

// keepSnapshots is how many of them stay on a host.
const keepSnapshots = 10

// Snapshot saves etcd's data on the host of a member, verifies it there, and
// returns its place and what etcdutl says of it. Older ones beyond ten go.
func Snapshot(ctx context.Context, h host.Host) (place, says string, err error) {
	const script = `umask 077; mkdir -p "$1"; f="$1/$(date -u +%Y%m%dT%H%M%SZ).db"
"$2/etcdctl" --endpoints=https://127.0.0.1:` + etcd.ClientPort + ` --cacert="$3" --cert="$4" --key="$5" snapshot save "$f" >/dev/null 2>"$f.log" || { cat "$f.log" >&2; rm -f "$f" "$f.log"; exit 1; }
rm -f "$f.log"
"$2/etcdutl" snapshot status "$f" -w simple >"$f.says" || { rm -f "$f" "$f.says"; exit 1; }
sync; echo "$f"; cat "$f.says"; rm -f "$f.says"
ls -1t "$1"/*.db | tail -n +$(($6 + 1)) | while IFS= read -r old; do rm -f "$old"; done`
	res, err := h.Run(ctx, host.Cmd{Args: []string{"sh", "-euc", script, "sh", SnapshotDir, kube.BinDir, pki.EtcdCACertPath,
		pki.CertPath(pki.EtcdHealthcheckClient), pki.KeyPath(pki.EtcdHealthcheckClient), fmt.Sprint(keepSnapshots)}, Unit: "snapshot"})
	if err != nil {
		return "", "", fmt.Errorf("save a snapshot of etcd: %w", err)
	}
	place, says, _ = strings.Cut(strings.TrimSpace(string(res.Stdout)), "\n")
	if path.Dir(place) != SnapshotDir {
		return "", "", fmt.Errorf("%s: save a snapshot of etcd: it is not told where it lies: %q", h.Name(), place)
	}
	return place, says, nil
}

// leader is the host whose member leads.
func leader(ctx context.Context, c *etcd.Client) (model.HostID, error) {
	st, err := c.Status(ctx)
	if err != nil {
		return "", err
	}
	members, err := c.Members(ctx)
	if err != nil {
		return "", err
	}
	for _, m := range members {
		if m.ID == st.Leader {
			return model.HostID(m.Name), nil
		}
	}
	return "", errors.New("etcd has no leader just now")
}
