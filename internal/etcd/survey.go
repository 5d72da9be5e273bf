package etcd

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"

	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/layout"
	"quorate.dev/quorate/internal/workload"
)

//go:embed survey.sh
var surveyScript string

// DiskData is what of etcd's data lies on a host's disk.
type DiskData struct {
	There    bool
	Running  string // the state of etcd when it is not stopped: systemd's word, or "static pod"
	Cluster  string // id of the cluster it belongs to
	Revision int64  // of the database; 0: not known. A member that does not run may have more in its log.
	Position        // of its log; zero: not known
	Bytes    int64
	Problem  string // why the database or the log cannot be read
	log      string // the last file of the log
}

// SurveyDisk says what data there is on a host. It changes nothing. The last file of the
// log is brought here and read: 64 MiB at most, most of it zeros or text.
func SurveyDisk(ctx context.Context, h host.Host, at layout.Layout) (DiskData, error) {
	wrap := func(err error) error { return host.Errorf(h.Name(), "look at etcd's data: %w", err) }
	said, err := host.Output(ctx, h, host.Script{What: "survey etcd's data", Text: workload.Script(at, surveyScript)})
	if err != nil {
		return DiskData{}, wrap(err)
	}
	d, err := parseSurvey(said)
	if err != nil {
		return DiskData{}, wrap(err)
	}
	if d.log == "" {
		return d, nil
	}
	// Not the file itself: etcd writes to it.
	answer, err := host.Ask(ctx, h, host.Script{What: "read etcd's log", Text: `frame log; cat -- "$1" | gzip -1 || exit; frame_end`,
		Args: []string{d.log}})
	if err != nil {
		return DiskData{}, wrap(err)
	}
	packed, _ := answer.Part("log")
	log, err := gunzip(packed)
	if err != nil {
		return DiskData{}, wrap(err)
	}
	return d.withLog(log), nil
}

// withLog adds what the last file of the log says.
func (d DiskData) withLog(log []byte) DiskData {
	_, cluster, err := Identity(bytes.NewReader(log))
	if err == nil {
		d.Cluster = HexCluster(cluster)
		d.Position, err = ReadPosition(bytes.NewReader(log))
	}
	if err != nil && d.Problem == "" {
		d.Problem = err.Error()
	}
	return d
}

func gunzip(b []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	out, err := io.ReadAll(io.LimitReader(z, maxLog+1))
	if err == nil && len(out) > maxLog {
		return nil, fmt.Errorf("a file of etcd's log with more than %d MiB is none", maxLog>>20)
	}
	return out, err
}

// maxLog bounds a file of the log: etcd begins a new one at 64 MB, and a record
// may go beyond that.
const maxLog = 128 << 20

func parseSurvey(out string) (d DiskData, err error) {
	lines := bufio.NewScanner(strings.NewReader(out))
	for lines.Scan() {
		key, value, _ := strings.Cut(lines.Text(), " ")
		switch key {
		case "bytes":
			d.There = true
			d.Bytes, err = strconv.ParseInt(value, 10, 64)
		case "log":
			d.log = value
		case "status":
			var of struct{ Revision int64 }
			err = json.Unmarshal([]byte(value), &of)
			d.Revision = of.Revision
		case "broken":
			d.Problem = value
		case "running":
			d.Running = value
		case "revision":
			var f float64 // as Prometheus writes numbers; exact up to 2^53
			f, err = strconv.ParseFloat(value, 64)
			d.Revision = int64(f)
		}
		if err != nil {
			return d, fmt.Errorf("cannot read %q: %w", lines.Text(), err)
		}
	}
	return d, lines.Err()
}
