package artifact

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"regexp"
	"strings"
	"time"
)

var sumForm = regexp.MustCompile(`^[0-9a-fA-F]{64}$`)

// checksum reads a published checksum file and returns the digest of name.
func (u *Upstream) checksum(ctx context.Context, url, name string) (string, error) {
	var text []byte
	var last error
	for range attempts {
		if last != nil {
			select {
			case <-ctx.Done():
				return "", fmt.Errorf("%s: %w", url, ctx.Err())
			case <-time.After(u.pause):
			}
		}
		text, last = u.small(ctx, url)
		var definite gone
		if last == nil || errors.As(last, &definite) || ctx.Err() != nil {
			break
		}
	}
	if last != nil {
		return "", fmt.Errorf("read the published checksum: %w", last)
	}
	sum, ok := findSum(string(text), name)
	if !ok {
		return "", fmt.Errorf("%s holds no SHA-256 of %s", url, name)
	}
	return sum, nil
}

// small reads a short answer.
func (u *Upstream) small(ctx context.Context, url string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, stall)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, gone{url, err.Error()}
	}
	resp, err := u.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode >= 500 || resp.StatusCode == http.StatusTooManyRequests:
		return nil, fmt.Errorf("%s: the server says %s", url, resp.Status)
	case resp.StatusCode != http.StatusOK:
		return nil, gone{url, resp.Status}
	}
	return io.ReadAll(io.LimitReader(resp.Body, 1<<20))
}

// findSum finds the digest of name in a checksum file: lines of "digest name",
// or nothing but one digest.
func findSum(text, name string) (string, bool) {
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) == 0 || !sumForm.MatchString(f[0]) {
			continue
		}
		if len(f) == 1 && len(strings.Fields(text)) == 1 || len(f) == 2 && path.Base(strings.TrimPrefix(f[1], "*")) == name {
			return strings.ToLower(f[0]), true
		}
	}
	return "", false
}
