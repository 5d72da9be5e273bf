package step

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"quorate.dev/quorate/internal/etcd"
	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/layout"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/pki"
	"quorate.dev/quorate/internal/topology"
)

//go:embed restore.sh
var restoreText string

// bump is by how much revisions go up in a recovery, above the highest that was
// known: more than what hosts that are silent can have written beyond it.
const bump = 1_000_000_000

// restoring runs a verb of restore.sh. With a unit it goes on when the
// connection is lost, and who repeats it waits for its end.
func restoring(ctx context.Context, h host.Host, at layout.Layout, unit, doing string, args ...string) (string, error) {
	client, server, peer := at.PKI.Leaf(pki.EtcdHealthcheckClient), at.PKI.Leaf(pki.EtcdServer), at.PKI.Leaf(pki.EtcdPeer)
	script := at.Script(fmt.Sprintf("CLIENT_CERT=%s CLIENT_KEY=%s SERVER_CERT=%s SERVER_KEY=%s PEER_CERT=%s PEER_KEY=%s\n",
		client.Cert, client.Key, server.Cert, server.Key, peer.Cert, peer.Key) +
		strings.Replace(restoreText, "@RECORD@", etcd.RecordSuperseded(at.Own.Superseded), 1))
	res, err := h.Run(ctx, host.Cmd{Args: append([]string{"sh", "-s", "--"}, args...), Stdin: strings.NewReader(script), Unit: unit})
	var exit *host.ExitError
	if errors.As(err, &exit) && strings.TrimSpace(exit.Stderr) != "" {
		return "", fmt.Errorf("%s: %s: %s", h.Name(), doing, strings.TrimSpace(exit.Stderr))
	}
	if err != nil {
		return "", fmt.Errorf("%s: %s: %w", h.Name(), doing, err)
	}
	return strings.TrimSpace(string(res.Stdout)), nil
}

// StopServices stops services on a host, those that are there. With etcd among
// them a swap of its data that was cut short is taken back.
func StopServices(ctx context.Context, h host.Host, at layout.Layout, services ...model.Component) error {
	args := []string{"stop"}
	for _, v := range services {
		args = append(args, at.Service(v))
	}
	_, err := restoring(ctx, h, at, "", "stop", args...)
	return err
}

// SaveStopped makes a snapshot, where one lies that is to be restored, of the data of a member that does
// not run, its log included. bare: that was not possible, and it is the
// database as it lies there, without a checksum and without the end of the log.
func SaveStopped(ctx context.Context, h host.Host, at layout.Layout, n topology.Node) (bare bool, err error) {
	out, err := restoring(ctx, h, at, "etcd-replay", "read etcd's data", "replay", n.Name, at.Own.Restore)
	if err == nil && out != "snapshot" && out != "bare" {
		err = fmt.Errorf("%s: read etcd's data: it is not told how: %q", h.Name(), out)
	}
	return out == "bare", err
}

// Restore is a new etcd cluster of one member.
type Restore struct {
	Member     topology.Node
	Token      string // as no cluster had before: the new cluster's id comes of it
	Snapshot   string // a file on the host
	Bare       bool   // it has no checksum
	Behind     int64  // by how much its revision is below the highest that was known
	Superseded []string
}

// RestoreEtcd puts the data of a snapshot in the place of etcd's data on a
// host, where etcd is stopped. Revisions go on far above all that was, and what
// was watched before is told as compacted, so that who has cached the old data
// reads it anew. kept is where the old data is, if there was any.
func RestoreEtcd(ctx context.Context, h host.Host, at layout.Layout, r Restore) (kept string, err error) {
	check := "whole"
	if r.Bare {
		check = "bare"
	}
	out, err := restoring(ctx, h, at, "etcd-restore", "restore etcd's data", append([]string{"restore", r.Member.Name, at.Etcd.PeerURL(r.Member.Address), r.Token, r.Snapshot, check, strconv.FormatInt(bump+max(0, r.Behind), 10)}, r.Superseded...)...)
	lines := strings.Split(out, "\n")
	kept, _ = strings.CutPrefix(lines[len(lines)-1], "kept ")
	return kept, err
}

// RecordSuperseded makes a host remember superseded clusters.
func RecordSuperseded(ctx context.Context, h host.Host, at layout.Layout, ids ...string) error {
	_, err := restoring(ctx, h, at, "", "record the superseded cluster", append([]string{"supersede"}, ids...)...)
	return err
}

// StartEtcd starts a member; it is not waited for.
func StartEtcd(ctx context.Context, h host.Host, at layout.Layout) error {
	_, err := sh(ctx, Env{Host: h}, "", `systemctl unmask -q "$1"; systemctl reset-failed -q "$1" 2>/dev/null || true; systemctl enable -q "$1"; systemctl start --no-block "$1"`, at.Service(model.Etcd))
	return err
}
