package check

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"quorate.dev/quorate/internal/balancer/config"
	"quorate.dev/quorate/internal/balancer/health"
)

const (
	readyzPath = "/readyz"
	// livezPath answers without asking etcd: while etcd elects a leader or
	// hangs, /readyz may take two seconds. The path itself is open to anonymous
	// requests and exempt from priority and fairness
	// (https://kubernetes.io/docs/reference/using-api/health-checks/).
	livezPath = "/livez?exclude=etcd"
	// mostBody is how much of an answer is read, in bytes.
	mostBody = 8 << 10
)

// readyzReader judges Kubernetes API servers.
type readyzReader struct{ unauthorizedIsReady bool }

// http2: an API server ends an HTTP/2 connection after each request without a
// name (UnauthenticatedHTTP2DOSMitigation, CVE-2023-44487), so that each check
// would cost both sides a handshake.
func (readyzReader) http2() bool { return false }

func (readyzReader) request(ctx context.Context, base string, alive bool) (*http.Request, error) {
	path := readyzPath
	if alive {
		path = livezPath
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+path, nil)
	if err == nil {
		req.Header.Set("User-Agent", "quorate-lb")
	}
	return req, err
}

func (r readyzReader) read(resp *http.Response, _ config.Backend) health.Answer {
	text, err := io.ReadAll(io.LimitReader(resp.Body, mostBody))
	switch code := resp.StatusCode; {
	case code == http.StatusOK:
		return health.Answer{Result: health.OK, Reason: "/readyz: 200"}
	case (code == http.StatusUnauthorized || code == http.StatusForbidden) && r.unauthorizedIsReady:
		return health.Answer{Result: health.OK, Reason: fmt.Sprintf("/readyz: %d, which counts as ready here", code)}
	case err != nil:
		return health.Answer{Result: health.NotOK, Reason: fmt.Sprintf("/readyz: %d", code)}
	default:
		failed := failedChecks(string(text))
		answer := health.Answer{Result: health.NotOK, Reason: fmt.Sprintf("/readyz: %d", code), CutOff: onlyStorage(failed)}
		if len(failed) > 0 {
			answer.Reason += " (" + strings.Join(failed[:min(len(failed), 4)], ", ") + ")"
		}
		return answer
	}
}

// failedChecks are the names that an API server marks with [-].
func failedChecks(text string) (names []string) {
	for line := range strings.Lines(text) {
		if rest, is := strings.CutPrefix(line, "[-]"); is {
			if name := strings.Fields(rest); len(name) > 0 {
				names = append(names, name[0])
			}
		}
	}
	return names
}

// onlyStorage: nothing but etcd is missing. One that shuts down says so in a check
// of its own.
func onlyStorage(failed []string) bool {
	for _, name := range failed {
		if name != "etcd" && name != "etcd-readiness" {
			return false
		}
	}
	return len(failed) > 0
}
