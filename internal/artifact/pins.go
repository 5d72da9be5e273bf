package artifact

import (
	"context"
	"fmt"
	"net/http"
	"path"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// Trust says where an Upstream downloads from, and what it must get there.
type Trust struct {
	// BaseURLs are mirrors, by the host they stand for.
	BaseURLs map[string]string
	// Checksums are SHA-256 in hex: of a file by its address at the project
	// without https://, of an image's manifest by its name. They go before all
	// that is published.
	Checksums map[string]string
}

// pins are the checksums that come with this version of quorate, in the form of
// Trust.Checksums. A release fills them from the projects' signed release
// notes; this version has none, so what the file does not pin is believed as
// the project itself publishes it.
var pins = map[string]string{}

// UnpinnedError is a file or image that must not be downloaded without a
// checksum known before.
type UnpinnedError struct {
	Address string // its key in artifacts.checksums
	From    string // where it would have come from
}

func (e UnpinnedError) Error() string {
	return fmt.Sprintf("%s comes over plain HTTP, where anyone on the way can change it, and its checksum is not pinned; "+
		"set artifacts.checksums[%q] to its SHA-256, or use https://", e.From, e.Address)
}

// pin is the checksum known before, "" when there is none.
func (u *Upstream) pin(address string) string {
	if sum := u.pins[address]; sum != "" {
		return sum
	}
	return pins[address]
}

// expected is the SHA-256 that the file at address must have: pinned, or as the
// project itself publishes it over HTTPS at sums. The mirror that serves the
// file has no say.
func (u *Upstream) expected(ctx context.Context, address, sums string, tell telling) (string, error) {
	if sum := u.pin(address); sum != "" {
		return sum, nil
	}
	host, rest, _ := strings.Cut(address, "/")
	if strings.HasPrefix(u.bases[host], "http://") {
		return "", UnpinnedError{address, u.bases[host] + "/" + rest}
	}
	url := u.origins[host] + sums
	tell("checksum", "not pinned; believed as published at "+url, 0, 0)
	sum, err := u.checksum(ctx, url, path.Base(rest))
	if err != nil {
		return "", fmt.Errorf("%w; where the project cannot be reached, set artifacts.checksums[%q]", err, address)
	}
	return sum, nil
}

// manifest is the same for an image: the digest of its manifest or index.
func (u *Upstream) manifest(ctx context.Context, ref string) (v1.Hash, error) {
	host, rest, _ := strings.Cut(ref, "/")
	if sum := u.pin(ref); sum != "" {
		return v1.Hash{Algorithm: "sha256", Hex: sum}, nil
	}
	if strings.HasPrefix(u.bases[host], "http://") {
		return v1.Hash{}, UnpinnedError{ref, u.bases[host] + "/" + rest}
	}
	at, err := name.ParseReference(strings.TrimPrefix(u.origins[host], "https://") + "/" + rest)
	if err != nil {
		return v1.Hash{}, fmt.Errorf("find the digest of %s: %w", ref, err)
	}
	d, err := remote.Get(at, remote.WithContext(ctx), remote.WithTransport(u.client.Transport))
	if err != nil {
		return v1.Hash{}, fmt.Errorf("find the digest of %s: %w; check the version; where the project cannot be reached, set "+
			"artifacts.checksums[%q]",
			ref, err, ref)
	}
	return d.Digest, nil
}

// secured refuses plain HTTP where it was not asked for: a redirect or a
// registry's fallback would take it silently.
type secured struct {
	http.RoundTripper
	plain map[string]bool // hosts of http:// mirrors
}

// RoundTrip passes the request on, or says why not.
func (s secured) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != "https" && !s.plain[r.URL.Host] {
		return nil, fmt.Errorf("%s://%s: plain HTTP is refused where https:// was asked for", r.URL.Scheme, r.URL.Host)
	}
	return s.RoundTripper.RoundTrip(r)
}
