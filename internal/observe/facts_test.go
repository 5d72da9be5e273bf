package observe

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	"quorate.dev/quorate/internal/model"
)

// A service that ends again and again does not run, in whatever moment it is
// seen; one that has just begun may be such a one.
func TestUpAndLoops(t *testing.T) {
	const blocks = `Id=kube-scheduler.service
LoadState=loaded
ActiveState=%STATE%
SubState=%SUB%
UnitFileState=enabled
MainPID=7
NRestarts=%RESTARTS%
Result=success
ActiveEnterTimestampMonotonic=%SINCE%
DropInPaths=/etc/systemd/system/kube-scheduler.service.d/x.conf`
	for name, at := range map[string]struct {
		state, sub, restarts, since string
		up, loops                   bool
	}{
		"runs":                       {"active", "running", "0", "100000000", true, false},
		"has just begun":             {"active", "running", "0", "999500000", false, false},
		"restarted long ago":         {"active", "running", "3", "900000000", true, false},
		"restarted a moment ago":     {"active", "running", "3", "995000000", false, true},
		"waits for its next restart": {"activating", "auto-restart", "3", "995000000", false, true},
		"failed":                     {"failed", "failed", "0", "995000000", false, true},
		"stopped":                    {"inactive", "dead", "0", "995000000", false, false},
	} {
		f := Facts{Units: map[string]Unit{}}
		f.units(strings.NewReplacer("%STATE%", at.state, "%SUB%", at.sub, "%RESTARTS%", at.restarts, "%SINCE%", at.since).Replace(blocks), "1000.00 3000.00")
		if up, loops := f.Up(model.Scheduler), f.CrashLooping(model.Scheduler); up != at.up || loops != at.loops {
			t.Errorf("%s: up %t, loops %t: %+v", name, up, loops, f.Units["kube-scheduler"])
		}
		if len(f.Units["kube-scheduler"].DropIns) != 1 {
			t.Errorf("%s: the drop-in is not seen", name)
		}
	}
	if f := (Facts{Units: map[string]Unit{"etcd": {Active: "activating", Sub: "start", Restarts: 1, Since: time.Second}}}); !f.Up(model.Etcd) {
		t.Error("a member that waits for its peers is what they wait for")
	}
}

// The kubelet's own certificate counts while it is valid; its end is told after it.
func TestKubeletCertificate(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	end := time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: end}, &x509.Certificate{}, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	for name, at := range map[string]struct {
		text []byte
		now  time.Time
		is   bool
		end  time.Time
	}{
		"valid": {text, end.Add(-time.Hour), true, end}, "over": {text, end.Add(time.Hour), false, end},
		"none": {nil, end, false, time.Time{}}, "broken": {text[:60], end, false, time.Time{}},
	} {
		var f Facts
		if f.kubelet(at.text, at.now); f.Kubelet != at.is || !f.KubeletEnd.Equal(at.end) {
			t.Errorf("%s: %t, %s", name, f.Kubelet, f.KubeletEnd)
		}
	}
}
