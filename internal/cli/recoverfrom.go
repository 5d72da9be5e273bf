package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"quorate.dev/quorate/internal/engine"
	"quorate.dev/quorate/internal/etcd"
	"quorate.dev/quorate/internal/goal"
	"quorate.dev/quorate/internal/layout"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/observe"
)

// survey is what there is of etcd's data.
type survey struct {
	ob   *observe.Observation
	data map[model.HostID]etcd.DiskData
	errs map[model.HostID]error
}

func (s survey) etcdHost(id model.HostID) bool {
	h, ok := s.ob.Goal.Hosts[id]
	return ok && h.Node.Etcd
}

// clusters are the ids of clusters that are not superseded, of which there is data.
func (s survey) clusters() (ids []string) {
	for _, d := range s.data {
		if d.Cluster != "" && !slices.Contains(s.ob.Superseded(), d.Cluster) && !slices.Contains(ids, d.Cluster) {
			ids = append(ids, d.Cluster)
		}
	}
	slices.Sort(ids)
	return ids
}

// survivor is the host whose data comes back, if no other is asked for.
func (s survey) survivor() etcd.Survivor {
	var all []etcd.Candidate
	for _, id := range s.ob.Have.Critical() {
		d, seen := s.data[id]
		if _, failed := s.errs[id]; !seen && !failed {
			continue // it has nothing to do with etcd
		}
		all = append(all, etcd.Candidate{Host: id, Data: d, Unseen: !seen, Superseded: slices.Contains(s.ob.Superseded(), d.Cluster),
			Unusable: s.ob.Have.Hosts[id].Obstacle.Or("") != "" || !s.etcdHost(id)})
	}
	return etcd.ChooseSurvivor(all)
}

// choose finds the data and the host, and checks that they can be used.
func (r *recovery) choose(ctx context.Context, cmd *cobra.Command, s *session, found survey) (do engine.Recovery, from *snapshotOf, err error) {
	do.Whole = r.whole
	can := func(name string) (model.HostID, error) {
		id := model.HostID(name)
		h, named := found.ob.Have.Hosts[id], found.etcdHost(id)
		switch {
		case !named:
			return "", usageError{fmt.Errorf("%s is no etcd host of the file", name)}
		case !h.Up():
			return "", fmt.Errorf("%w: %s does not answer: %s", errRefused, id, h.Reached.Why())
		case h.Obstacle.Or("") != "":
			return "", fmt.Errorf("%w: %s: %s", errRefused, id, h.Obstacle.Or(""))
		}
		return id, nil
	}
	if r.source == "" {
		at := found.survivor().Host
		ok := at != ""
		if r.from != "" {
			if at, err = can(r.from); err != nil {
				return do, nil, err
			}
			ok = found.data[at].There
		}
		switch {
		case r.on != "" && r.on != string(at):
			return do, nil, usageError{fmt.Errorf("--on %s: a member's data comes back on its own host (%s); take a snapshot to bring it elsewhere", r.on, at)}
		case r.from == "" && len(found.clusters()) > 1:
			return do, nil, fmt.Errorf("%w: the hosts hold data of different etcd clusters (%s); look at `%s`, and choose with --from", errRefused, strings.Join(found.clusters(), ", "), command(cmd, "status"))
		case !ok:
			return do, nil, fmt.Errorf("%w: no host that answers has etcd's data: bring one back, or `%s --from-snapshot HOST:PATH` (snapshots lie in %s)", errRefused, command(cmd, "etcd recover"), goal.LayoutOf(s.file).Own.Snapshots)
		}
		do.At, do.Behind = at, found.newest()-found.data[at].Revision
		return do, nil, nil
	}
	from = &snapshotOf{given: r.source, path: r.source}
	if name, path, is := strings.Cut(r.source, ":"); is && found.ob.Goal.Hosts[model.HostID(name)] != nil {
		from.host, from.path = model.HostID(name), path
	}
	at := r.on
	if at == "" && from.host != "" && found.etcdHost(from.host) {
		at = string(from.host)
	}
	if at == "" {
		for _, id := range found.ob.Have.Critical() {
			if _, err := can(string(id)); err == nil {
				at = string(id)
				break
			}
		}
	}
	if do.At, err = can(at); err != nil {
		return do, nil, err
	}
	switch {
	case from.host == "":
		from.is, err = etcd.CheckSnapshotFile(from.path)
		do.File = from.path
	case from.host != do.At:
		return do, nil, usageError{fmt.Errorf("%s lies on %s: copy it to this machine first, or restore it there with --on %s", from.path, from.host, from.host)}
	default:
		from.is, err = etcd.CheckSnapshot(ctx, s.hosts[from.host], goal.LayoutOf(s.file), from.path)
		do.From = from.path
	}
	do.Behind = found.newest() - from.is.Revision
	if err == nil && from.is.Problem != "" {
		err = fmt.Errorf("%w: %s: %s", errRefused, from.given, from.is.Problem)
	}
	return do, from, err
}

// newest is the highest revision that was found.
func (s survey) newest() (most int64) {
	for _, d := range s.data {
		most = max(most, d.Revision)
	}
	return most
}

// before is the newest revision known of what was, and that of the snapshot.
func (s survey) before(from *snapshotOf) string {
	text := fmt.Sprintf("the newest revision found was %d", s.newest())
	if from != nil && from.is.Revision > 0 {
		text += fmt.Sprintf(", that of the snapshot %d", from.is.Revision)
	}
	return text
}

// text is what was found, what is done and what is lost.
func (s survey) text(do engine.Recovery, from *snapshotOf) string {
	var b strings.Builder
	b.WriteString("What there is of etcd's data:\n")
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "  HOST\tDATA\tREVISION\tTERM\tINDEX\tCLUSTER\tETCD")
	var silent []model.HostID
	for _, id := range s.ob.Have.Critical() {
		d, asked := s.data[id]
		err, failed := s.errs[id]
		switch {
		case failed:
			silent = append(silent, id)
			fmt.Fprintf(w, "  %s\t?\t?\t?\t?\t?\t%s\n", id, firstLine(err.Error()))
		case !asked:
		case !d.There:
			fmt.Fprintf(w, "  %s\tnone\t\t\t\t\t\n", id)
		default:
			of, state := d.Cluster, "stopped"
			if slices.Contains(s.ob.Superseded(), of) {
				of += " (superseded)"
			}
			if d.Running != "" {
				state = "runs"
			}
			if d.Problem != "" {
				state += "; " + d.Problem
			}
			fmt.Fprintf(w, "  %s\t%.1f MiB\t%s\t%s\t%s\t%s\t%s\n", id, float64(d.Bytes)/(1<<20), number(uint64(d.Revision)), number(d.Term), number(d.Index), of, state)
		}
	}
	w.Flush()
	b.WriteString("\nWhat will be done:\n")
	fmt.Fprintf(&b, "  The API servers and etcd stop on all hosts that answer; pods go on running.\n")
	if from == nil {
		fmt.Fprintf(&b, "  On %s etcd begins anew from the data there (revision %s or a little more), as the only member of a new cluster.\n", do.At, number(uint64(s.data[do.At].Revision)))
	} else {
		rev := ""
		if from.is.Revision > 0 {
			rev = fmt.Sprintf(", revision %d", from.is.Revision)
		}
		fmt.Fprintf(&b, "  On %s etcd begins anew from %s (of %s%s), as the only member of a new cluster.\n", do.At, from.given, from.is.Time.Local().Format(time.DateTime), rev)
	}
	fmt.Fprintf(&b, "  What %s held before is kept under %s there. The others join anew; their old data is kept, too.\n", do.At, layout.Quorate().Kept)
	b.WriteString("\nWhat is lost:\n")
	switch {
	case from != nil:
		fmt.Fprintf(&b, "  All that was written after the snapshot (%s).\n", s.before(from))
	case len(silent) > 0:
		fmt.Fprintf(&b, "  What %s acknowledged beyond revision %s, if they were ahead: they do not answer, so nobody can say.\n", hostList(silent), number(uint64(s.data[do.At].Revision)))
	default:
		b.WriteString("  What the other members acknowledged beyond that.\n")
	}
	if len(silent) > 0 && from == nil {
		fmt.Fprintf(&b, "  If %s can be brought back with their disks, do that instead: then nothing is lost, and no recovery is needed.\n", hostList(silent))
	}
	return b.String()
}

func number(n uint64) string {
	if n == 0 {
		return "?"
	}
	return fmt.Sprint(n)
}
