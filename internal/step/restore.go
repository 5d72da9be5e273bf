package step

import (
	"bufio"
	"context"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"quorate.dev/quorate/internal/etcd"
	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/topology"
)

//go:embed restore.sh
var restoreText string

// RestoreFile is where a snapshot lies on the host that is to restore it.
const RestoreFile = "/var/lib/quorate/restore.db"

// bump is by how much revisions go up in a recovery, above the highest that was
// known: more than what hosts that are silent can have written beyond it.
const bump = 1_000_000_000

// EtcdData is what of etcd's data lies on a host.
type EtcdData struct {
	There    bool
	Running  string // systemd's state of etcd when it is not stopped
	Cluster  string // id of the cluster it belongs to
	Revision int64  // of the database; 0: not known. A member that does not run may have more in its log.
	Index    uint64 // last entry known to be committed; 0: not known
	Bytes    int64
	Problem  string // why the database cannot be read
}

// restoring runs a verb of restore.sh. With a unit it goes on when the
// connection is lost, and who repeats it waits for its end.
func restoring(ctx context.Context, h host.Host, unit, doing string, args ...string) (string, error) {
	script := strings.Replace(restoreText, "@RECORD@", etcd.RecordSuperseded, 1)
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

// SurveyEtcd says what data there is. It changes nothing.
func SurveyEtcd(ctx context.Context, h host.Host) (EtcdData, error) {
	out, err := restoring(ctx, h, "", "look at etcd's data", "survey")
	if err != nil {
		return EtcdData{}, err
	}
	d, err := parseSurvey(out)
	if err != nil {
		err = fmt.Errorf("%s: look at etcd's data: %w", h.Name(), err)
	}
	return d, err
}

func parseSurvey(out string) (d EtcdData, err error) {
	whole := false
	lines := bufio.NewScanner(strings.NewReader(out))
	for lines.Scan() {
		key, value, _ := strings.Cut(lines.Text(), " ")
		switch key {
		case "bytes":
			d.There = true
			d.Bytes, err = strconv.ParseInt(value, 10, 64)
		case "wal":
			var head []byte
			if head, err = base64.StdEncoding.DecodeString(value); err == nil {
				var of uint64
				if _, of, err = etcd.Identity(head); err == nil {
					d.Cluster = etcd.HexCluster(of)
				} else {
					d.Problem, err = err.Error(), nil
				}
			}
		case "status":
			var of struct{ Revision int64 }
			err = json.Unmarshal([]byte(value), &of)
			d.Revision = of.Revision
		case "broken":
			d.Problem = value
		case "running":
			d.Running = value
		case "revision", "index":
			var f float64 // as Prometheus writes numbers; exact up to 2^53
			f, err = strconv.ParseFloat(value, 64)
			if key == "revision" {
				d.Revision = int64(f)
			} else {
				d.Index = uint64(f)
			}
		case "end":
			whole = true
		}
		if err != nil {
			return d, fmt.Errorf("cannot read %q: %w", lines.Text(), err)
		}
	}
	if !whole {
		return d, errors.New("the answer was cut short")
	}
	return d, nil
}

// StopServices stops services on a host, those that are there. With etcd among
// them a swap of its data that was cut short is taken back.
func StopServices(ctx context.Context, h host.Host, services ...model.Component) error {
	args := []string{"stop"}
	for _, v := range services {
		args = append(args, v.String()+".service")
	}
	_, err := restoring(ctx, h, "", "stop", args...)
	return err
}

// SaveStopped makes a snapshot at RestoreFile of the data of a member that does
// not run, its log included. bare: that was not possible, and it is the
// database as it lies there, without a checksum and without the end of the log.
func SaveStopped(ctx context.Context, h host.Host, n topology.Node) (bare bool, err error) {
	out, err := restoring(ctx, h, "etcd-replay", "read etcd's data", "replay", n.Name, RestoreFile)
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
func RestoreEtcd(ctx context.Context, h host.Host, r Restore) (kept string, err error) {
	check := "whole"
	if r.Bare {
		check = "bare"
	}
	out, err := restoring(ctx, h, "etcd-restore", "restore etcd's data", append([]string{"restore", r.Member.Name, etcd.PeerURL(r.Member), r.Token, r.Snapshot, check, strconv.FormatInt(bump+max(0, r.Behind), 10)}, r.Superseded...)...)
	lines := strings.Split(out, "\n")
	kept, _ = strings.CutPrefix(lines[len(lines)-1], "kept ")
	return kept, err
}

// RecordSuperseded makes a host remember superseded clusters.
func RecordSuperseded(ctx context.Context, h host.Host, ids ...string) error {
	_, err := restoring(ctx, h, "", "record the superseded cluster", append([]string{"past"}, ids...)...)
	return err
}

// StartEtcd starts a member; it is not waited for.
func StartEtcd(ctx context.Context, h host.Host) error {
	_, err := sh(ctx, Env{Host: h}, "", `systemctl unmask -q etcd.service; systemctl reset-failed -q etcd.service 2>/dev/null || true; systemctl enable -q etcd.service; systemctl start --no-block etcd.service`)
	return err
}
