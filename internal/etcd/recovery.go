package etcd

import (
	"crypto/rand"
	"crypto/sha1"
	"encoding/binary"
	"encoding/json"
	"strings"

	"quorate.dev/quorate/internal/pki"
)

// Recovery is what a survivor records, from before the first change until all
// others that answer have joined: all that a second run needs to end at the same
// place.
type Recovery struct {
	ID         string   `json:"id"`                 // of the new etcd cluster, in hexadecimal
	Token      string   `json:"token"`              // as no cluster had before: the id comes of it
	From       string   `json:"from,omitempty"`     // a snapshot, as it was given; "": the data of the survivor's own member
	Snapshot   string   `json:"snapshot,omitempty"` // SHA-256 of that
	Bump       int64    `json:"bump"`               // by how much revisions go up
	Supersedes []string `json:"supersedes"`         // ids of the clusters that end
	Outside    []string `json:"outside"`            // addresses from which the new etcd is fenced
	Host       string   `json:"host"`               // the survivor
	Signature  []byte   `json:"signature"`          // of the rest, by etcd's CA
}

// signed is what the signature is of.
func (r Recovery) signed() []byte {
	r.Signature = nil
	text, err := json.Marshal(r)
	if err != nil {
		panic("a recovery cannot be written: " + err.Error())
	}
	return append([]byte("quorate: recovery of etcd "), text...)
}

// Sign makes it the record of a host.
func (r Recovery) Sign(ca pki.Authority, host string) (Recovery, error) {
	r.Host = host
	var err error
	r.Signature, err = ca.Sign(r.signed())
	return r, err
}

// IsSigned says that etcd's CA, in PEM, has signed it for that host.
func (r Recovery) IsSigned(ca []byte, host string) bool {
	return r.Host == host && pki.HasSigned(ca, r.signed(), r.Signature)
}

// bump is by how much revisions go up in a recovery, above the highest that was
// known: more than what hosts that are silent can have written beyond it.
const bump = 1_000_000_000

// NewRecovery is the choice of a survivor, by the URL of its peers: behind is by how much the data's
// revision is below the highest that was known.
func NewRecovery(cluster, peerURL string, behind int64) Recovery {
	token := cluster + "-" + strings.ToLower(rand.Text())
	return Recovery{ID: soleMemberCluster(peerURL, token), Token: token, Bump: bump + max(0, behind)}
}

// ParseRecovery reads a record.
func ParseRecovery(text []byte) (r Recovery, err error) {
	err = json.Unmarshal(text, &r)
	return r, err
}

// soleMemberCluster is the id of a cluster that begins with one member (etcd:
// membership.NewMember and RaftCluster.genID).
func soleMemberCluster(peerURL, token string) string {
	first := func(b []byte) uint64 {
		sum := sha1.Sum(b)
		return binary.BigEndian.Uint64(sum[:8])
	}
	member := first([]byte(peerURL + token))
	return HexCluster(first(binary.BigEndian.AppendUint64(nil, member)))
}
