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
		return health.Answer{Result: health.NotOK, Reason: fmt.Sprintf("/readyz: %d%s", code, failedChecks(string(text)))}
	}
}

// failedChecks are the names that an API server marks with [-].
func failedChecks(text string) string {
	var names []string
	for line := range strings.Lines(text) {
		if rest, is := strings.CutPrefix(line, "[-]"); is {
			if name := strings.Fields(rest); len(name) > 0 && len(names) < 4 {
				names = append(names, name[0])
			}
		}
	}
	if len(names) == 0 {
		return ""
	}
	return " (" + strings.Join(names, ", ") + ")"
}
