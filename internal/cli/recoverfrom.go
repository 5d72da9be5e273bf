package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"quorate.dev/quorate/internal/engine"
	"quorate.dev/quorate/internal/etcd"
	"quorate.dev/quorate/internal/goal"
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
		is, recorded := s.ob.Recorded(id)
		all = append(all, etcd.Candidate{Host: id, Data: d, Unseen: !seen, Recorded: recorded && is.From == "",
			Superseded: slices.Contains(s.ob.Superseded(), d.Cluster),
			Unusable:   s.ob.Have.Hosts[id].Obstacle.Or("") != "" || !s.etcdHost(id)})
	}
	return etcd.ChooseSurvivor(all)
}

// ahead are the hosts whose log goes further than that of the chosen one.
func (s survey) ahead(at model.HostID) (ids []model.HostID) {
	for _, id := range s.ob.Have.Critical() {
		if d, there := s.data[id]; there && d.There && d.Cluster == s.data[at].Cluster && s.data[at].Before(d.Position) {
			ids = append(ids, id)
		}
	}
	return ids
}

// begun is the recovery that an earlier run of this command has recorded and
// that is not complete. One that has replaced data already goes on in any case,
// unless another host's is asked for.
func (r *recovery) begun(ob *observe.Observation) (goal.Recovery, bool) {
	var found goal.Recovery
	for _, id := range ob.Have.Critical() {
		is, recorded := ob.Recorded(id)
		binding := ob.Have.Hosts[id].Etcd.Recovery.IsBinding()
		switch {
		case !recorded || r.host != "" && r.host != string(id):
		case binding && r.source == "", is.From == r.source:
			if found.At == "" || binding {
				found = is
			}
		}
	}
	return found, found.At != ""
}

// choose finds the data and the host, and checks that they can be used.
func (r *recovery) choose(ctx context.Context, cmd *cobra.Command, s *session, found survey) (do goal.Recovery, from *snapshotOf,
	err error) {
	begun, is := r.begun(found.ob)
	if e := found.ob.Have.Hosts[begun.At].Etcd.Recovery; is && (r.source == "" || e.Staged || e.IsBinding()) {
		if begun.From != "" {
			from = &snapshotOf{given: begun.From}
		}
		return begun, from, nil
	}
	if r.source == "" {
		do, err = r.chooseMember(cmd, found)
		return do, nil, err
	}
	do, from, err = r.chooseSnapshot(ctx, s, found)
	if err == nil && is && begun.At == do.At && begun.Snapshot == do.Snapshot {
		begun.File, begun.Path = do.File, do.Path
		do = begun
	}
	return do, from, err
}

// usable is a host on which etcd can go on.
func (s survey) usable(name string) (model.HostID, error) {
	id := model.HostID(name)
	h, named := s.ob.Have.Hosts[id], s.etcdHost(id)
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

// chooseMember is the recovery from a host's own data.
func (r *recovery) chooseMember(cmd *cobra.Command, found survey) (do goal.Recovery, err error) {
	at := found.survivor().Host
	ok := at != ""
	if r.host != "" {
		if at, err = found.usable(r.host); err != nil {
			return do, err
		}
		ok = found.data[at].There
	}
	switch {
	case r.host == "" && len(found.clusters()) > 1:
		return do, fmt.Errorf("%w: the hosts hold data of different etcd clusters (%s); look at `%s`, and choose with --host",
			errRefused, strings.Join(found.clusters(), ", "), command(cmd, "status"))
	case !ok:
		return do, fmt.Errorf("%w: no host that answers has etcd's data: bring one back, or `%s --from-snapshot HOST:PATH` (snapshots lie in %s)",
			errRefused, command(cmd, "etcd recover"), found.ob.Goal.Layout.Own.Snapshots)
	}
	return engine.NewRecovery(found.ob, at, found.newest()-found.data[at].Revision), nil
}

// chooseSnapshot is the recovery from a snapshot.
func (r *recovery) chooseSnapshot(ctx context.Context, s *session, found survey) (do goal.Recovery, from *snapshotOf, err error) {
	from = &snapshotOf{given: r.source, path: r.source}
	if name, path, is := strings.Cut(r.source, ":"); is && found.ob.Goal.Hosts[model.HostID(name)] != nil {
		from.host, from.path = model.HostID(name), path
	}
	name := r.host
	if name == "" && from.host != "" && found.etcdHost(from.host) {
		name = string(from.host)
	}
	if name == "" {
		for _, id := range found.ob.Have.Critical() {
			if _, err := found.usable(string(id)); err == nil {
				name = string(id)
				break
			}
		}
	}
	at, err := found.usable(name)
	if err != nil {
		return do, nil, err
	}
	sum := ""
	switch {
	case from.host == "":
		if from.is, err = etcd.CheckSnapshotFile(from.path); err == nil {
			sum, err = fileSum(from.path)
		}
	case from.host != at:
		return do, nil, usageError{fmt.Errorf("%s lies on %s: copy it to this machine first, or restore it there with --host %s", from.path,
			from.host, from.host)}
	default:
		if from.is, err = etcd.CheckSnapshot(ctx, s.hosts[from.host], goal.LayoutOf(s.file), from.path); err == nil && from.is.Problem == "" {
			sum, err = etcd.SnapshotSum(ctx, s.hosts[from.host], from.path)
		}
	}
	switch {
	case err != nil:
		return do, nil, err
	case from.is.Problem != "":
		return do, nil, fmt.Errorf("%w: %s: %s", errRefused, from.given, from.is.Problem)
	}
	do = engine.NewRecovery(found.ob, at, found.newest()-from.is.Revision)
	if do.From, do.Snapshot, do.Path = from.given, sum, from.path; from.host == "" {
		do.File, do.Path = from.path, ""
	}
	return do, from, nil
}

// fileSum is the SHA-256 of a file on this machine, in hexadecimal.
func fileSum(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	_, err = io.Copy(sum, f)
	return hex.EncodeToString(sum.Sum(nil)), err
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

// text is what was found and what is lost.
func (s survey) text(do goal.Recovery, from *snapshotOf) string {
	var b strings.Builder
	silent := s.table(&b)
	switch {
	case from != nil && from.is.Revision > 0:
		fmt.Fprintf(&b, "\netcd continues on %s with %s (of %s, revision %d).\n", do.At, from.given,
			from.is.Time.Local().Format(time.DateTime), from.is.Revision)
	case from != nil:
		fmt.Fprintf(&b, "\netcd continues on %s with %s.\n", do.At, from.given)
	default:
		fmt.Fprintf(&b, "\netcd continues on %s with the data of its own member (revision %s or a little more).\n", do.At,
			number(uint64(s.data[do.At].Revision)))
	}
	b.WriteString("\nWhat is lost:\n")
	more := slices.DeleteFunc(s.survivor().MayHoldMore, func(id model.HostID) bool { return id == do.At })
	switch {
	case from != nil:
		fmt.Fprintf(&b, "  All that was written after the snapshot (%s).\n", s.before(from))
	case len(more) > 0:
		fmt.Fprintf(&b, "  What %s acknowledged beyond revision %s, if they were ahead: they were not seen, or their data cannot be read.\n",
			hostList(more), number(uint64(s.data[do.At].Revision)))
	default:
		b.WriteString("  What the other members acknowledged beyond that.\n")
	}
	if ahead := s.ahead(do.At); from == nil && len(ahead) > 0 {
		fmt.Fprintf(&b, "  The logs of %s go further, but were not chosen.\n", hostList(ahead))
	}
	if len(silent) > 0 && from == nil {
		fmt.Fprintf(&b, "  If %s can be brought back with their disks, do that instead: then nothing is lost, and no recovery is needed.\n",
			hostList(silent))
	}
	return b.String()
}

// table writes what each host has, and returns those of whom nothing was seen.
func (s survey) table(out io.Writer) (silent []model.HostID) {
	fmt.Fprintln(out, "etcd data that was found:")
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "  HOST\tDATA\tREVISION\tTERM\tINDEX\tCLUSTER\tETCD")
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
			fmt.Fprintf(w, "  %s\t%.1f MiB\t%s\t%s\t%s\t%s\t%s\n", id, float64(d.Bytes)/(1<<20), number(uint64(d.Revision)), number(d.Term),
				number(d.Index), of, state)
		}
	}
	w.Flush()
	return silent
}

func number(n uint64) string {
	if n == 0 {
		return "?"
	}
	return fmt.Sprint(n)
}
