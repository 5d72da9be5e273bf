package check

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"

	"quorate.dev/quorate/internal/balancer/config"
	"quorate.dev/quorate/internal/balancer/health"
)

const (
	statusPath = "/etcdserverpb.Maintenance/Status"
	// versionPath answers on a member that has no leader, and on learners.
	versionPath = "/version"
	mostStatus  = 64 << 10
)

// etcdReader judges etcd members. It speaks gRPC's framing over net/http's
// HTTP/2 itself: one unary call does not need a gRPC client, which would make
// the program half as large again
// (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md).
type etcdReader struct{ cluster uint64 }

func (etcdReader) http2() bool { return true } // gRPC is over nothing else

func (etcdReader) request(ctx context.Context, base string, alive bool) (*http.Request, error) {
	if alive {
		return http.NewRequestWithContext(ctx, http.MethodGet, base+versionPath, nil)
	}
	// An empty StatusRequest: not compressed, no bytes.
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+statusPath, bytes.NewReader(make([]byte, 5)))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/grpc")
	req.Header.Set("TE", "trailers")
	req.Header.Set("User-Agent", "quorate-lb")
	return req, nil
}

func (r etcdReader) read(resp *http.Response, b config.Backend) health.Answer {
	text, err := io.ReadAll(io.LimitReader(resp.Body, mostStatus))
	if err != nil {
		return health.Answer{Result: health.Broken, Reason: short(err)}
	}
	code, message := resp.Trailer.Get("Grpc-Status"), resp.Trailer.Get("Grpc-Message")
	if code == "" {
		code, message = resp.Header.Get("Grpc-Status"), resp.Header.Get("Grpc-Message")
	}
	if resp.StatusCode != http.StatusOK || code != "0" {
		return health.Answer{Result: health.NotOK, Reason: fmt.Sprintf("status: HTTP %d, gRPC %q %s", resp.StatusCode, code, message)}
	}
	s, err := parseStatus(text)
	if err != nil {
		return health.Answer{Result: health.NotOK, Reason: "status: " + err.Error()}
	}
	return r.judge(s, b)
}

func (r etcdReader) judge(s status, b config.Backend) health.Answer {
	member := strconv.FormatUint(s.member, 16)
	switch {
	case s.cluster != r.cluster:
		return health.Answer{Result: health.Bar, Reason: fmt.Sprintf("it belongs to the cluster %x, not to %x", s.cluster, r.cluster)}
	case b.Member != "" && b.Member != member:
		return health.Answer{Result: health.Bar, Reason: fmt.Sprintf("it is the member %s, not %s", member, b.Member)}
	case s.learner:
		return health.Answer{Result: health.Bar, Reason: "it is a learner"}
	case s.leader == 0:
		return health.Answer{Result: health.NotOK, Reason: "it knows no leader"}
	}
	answer := health.Answer{Result: health.OK, Reason: "voter", Self: member, Leader: strconv.FormatUint(s.leader, 16)}
	if s.leader == s.member {
		answer.Reason = "voter, the leader"
	}
	return answer
}

// status is what is read of etcdserverpb.StatusResponse.
type status struct {
	cluster, member, leader uint64
	learner                 bool
}

// Field numbers of StatusResponse and of ResponseHeader in
// https://github.com/etcd-io/etcd/blob/main/api/etcdserverpb/rpc.proto.
const (
	statusHeader, statusLeader, statusLearner = 1, 4, 10
	headerCluster, headerMember               = 1, 2
)

var errFrame = errors.New("the answer is not one gRPC message")

func parseStatus(frame []byte) (status, error) {
	if len(frame) < 5 || frame[0] != 0 || uint64(binary.BigEndian.Uint32(frame[1:])) != uint64(len(frame)-5) {
		return status{}, errFrame
	}
	var s status
	err := fields(frame[5:], func(n protowire.Number, v uint64, b []byte) error {
		switch n {
		case statusHeader:
			return fields(b, func(n protowire.Number, v uint64, _ []byte) error {
				switch n {
				case headerCluster:
					s.cluster = v
				case headerMember:
					s.member = v
				}
				return nil
			})
		case statusLeader:
			s.leader = v
		case statusLearner:
			s.learner = v != 0
		}
		return nil
	})
	return s, err
}

// fields calls f for each varint (as v) and each length-delimited field (as b).
func fields(text []byte, f func(n protowire.Number, v uint64, b []byte) error) error {
	for len(text) > 0 {
		n, t, size := protowire.ConsumeTag(text)
		if size < 0 {
			return protowire.ParseError(size)
		}
		text = text[size:]
		var v uint64
		var b []byte
		switch t {
		case protowire.VarintType:
			v, size = protowire.ConsumeVarint(text)
		case protowire.BytesType:
			b, size = protowire.ConsumeBytes(text)
		default:
			size = protowire.ConsumeFieldValue(n, t, text)
		}
		if size < 0 {
			return protowire.ParseError(size)
		}
		if err := f(n, v, b); err != nil {
			return err
		}
		text = text[size:]
	}
	return nil
}
