//go:build lab

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"quorate.dev/quorate/internal/layout"
	"quorate.dev/quorate/internal/status"
)

// guardEtcd looks after the data of a cluster that is well: snapshots there and
// here, whole and broken, with a full disk; defragmentation; an alarm.
func (c *cluster) guardEtcd(t *testing.T) {
	t.Helper()
	etcdctl := func(args ...string) result {
		return run(t, c.dir, append(append([]string{"etcd"}, args...), "-f", filepath.Base(c.File))...)
	}
	var st status.Etcd
	if r := etcdctl("status", "-o", "json").want(t, 0); json.Unmarshal([]byte(r.out), &st) != nil {
		t.Fatal(r.out)
	}
	lead := st.Members[slices.IndexFunc(st.Members, func(m status.Member) bool { return m.Role == "leader" })]
	if len(st.Members) != len(c.controlPlanes()) || !st.Quorum || lead.Revision == 0 || lead.Quota == 0 {
		t.Errorf("%+v", st)
	}
	etcdctl("members").want(t, 0).says(t, lead.PeerURL, "voter")

	// On the host whose etcd leads.
	at := strings.TrimSpace(etcdctl("snapshot", "save", "--with-keys").want(t, 0).out)
	host, file, _ := strings.Cut(at, ":")
	if host != string(lead.Host) {
		t.Errorf("%s is not from the leader, %s", at, lead.Host)
	}
	if modes := c.on(t, host, `stat -c %a "$1" "$1".keys.tar`, file); modes != "600\n600" {
		t.Errorf("modes %q", modes)
	}
	if differs := c.on(t, host, `cd / && tar -df "$1".keys.tar 2>&1 | grep -v -i -e 'mod time' || true; tar -tf "$1".keys.tar | wc -l`,
		file); differs != "9" {
		t.Errorf("the keys beside the snapshot are not the host's: %s", differs)
	}
	c.on(t, host, `sed 's/a/b/' "$1" > "$(dirname "$1")/flipped.db"`, file)
	r := etcdctl("snapshot", "list").want(t, 1).says(t, file, "flipped.db", "BROKEN: it does not match its checksum")
	if !strings.Contains(r.out, " yes ") || !strings.Contains(r.out, " ok\n") {
		t.Errorf("the good one is not told as such:\n%s", r.out)
	}
	etcdctl("snapshot", "verify", at).want(t, 0).says(t, "is complete")
	etcdctl("snapshot", "verify", host+":"+filepath.Dir(file)+"/flipped.db").want(t, 1)

	// A full disk leaves nothing behind.
	c.on(t, host, `mount -t tmpfs -o size=100k tmpfs "$1"`, layout.Systemd().Own.Snapshots)
	etcdctl("snapshot", "save", "--host", host).want(t, 1).says(t, "no space left on device")
	if left := c.on(t, host, `ls -A "$1"; umount "$1"; rm "$1/flipped.db"`, layout.Systemd().Own.Snapshots); left != "" {
		t.Errorf("a full disk was left with %s", left)
	}

	// Here.
	local := filepath.Join(c.dir, "here.db")
	etcdctl("snapshot", "save", "--to", local).want(t, 0).says(t, "/etc/kubernetes/pki", "encryption.yaml", "--with-keys")
	etcdctl("snapshot", "save", "--to", local).want(t, 3).says(t, "already there")
	text, err := os.ReadFile(local)
	if err != nil {
		t.Fatal(err)
	}
	run(t, c.dir, "etcd", "snapshot", "verify", local).want(t, 0)
	text[len(text)/2] ^= 1
	if err := os.WriteFile(local, text, 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, c.dir, "etcd", "snapshot", "verify", local).want(t, 1).says(t, "does not match its checksum")

	r = etcdctl("defrag").want(t, 0)
	rows := strings.Split(strings.TrimSpace(r.out), "\n")
	if len(rows) != 1+st.Voters || !strings.HasPrefix(rows[len(rows)-1], string(lead.Host)) {
		t.Errorf("the leader, %s, is not the last:\n%s", lead.Host, r.out)
	}

	// An alarm, raised as etcd itself raises it.
	c.on(t, host, `p=/etc/kubernetes/pki/etcd; curl -sf --cacert $p/ca.crt --cert $p/healthcheck-client.crt --key $p/healthcheck-client.key \
-d "{\"action\":\"ACTIVATE\",\"memberID\":\"$1\",\"alarm\":\"NOSPACE\"}" https://127.0.0.1:2379/v3/maintenance/alarm`, decimal(t, lead.ID))
	etcdctl("status").want(t, 1).says(t, fmt.Sprintf("alarm NOSPACE of %s", lead.Host), "etcd has quorum")
	etcdctl("alarm", "disarm").want(t, 3).says(t, "NOSPACE", "no answer")
	etcdctl("alarm", "disarm", "--yes").want(t, 0)
	etcdctl("alarm", "list").want(t, 0).says(t, "no alarms")
}

// decimal is an id as etcd's JSON has it.
func decimal(t *testing.T, hex string) string {
	t.Helper()
	n, err := strconv.ParseUint(hex, 16, 64)
	if err != nil {
		t.Fatal(err)
	}
	return strconv.FormatUint(n, 10)
}
