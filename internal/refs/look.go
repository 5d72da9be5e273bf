package refs

import (
	"bytes"
	"context"
	"crypto/x509"
	_ "embed"
	"encoding/pem"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/layout"
)

//go:embed look.sh
var lookText string

// lookTimeout bounds the look at one host.
const lookTimeout = 30 * time.Second

// kinds are the words of look.sh.
var kinds = map[string]Kind{"balancer": FrontDoor, "unit": Unit, "manifest": Manifest, "hosts": HostsFile, "cron": Cron, "cni": CNI,
	"settings": Settings}

// OnHosts looks at hosts side by side. What could not be looked at is said.
func (c Cluster) OnHosts(ctx context.Context, hosts []host.Host, at layout.Layout) (out []Mention, notAsked []string) {
	var mu sync.Mutex
	var group sync.WaitGroup
	for _, h := range hosts {
		group.Go(func() {
			seen, not, err := c.look(ctx, h, at, "")
			mu.Lock()
			defer mu.Unlock()
			out, notAsked = append(out, seen...), append(notAsked, not...)
			if err != nil {
				notAsked = append(notAsked, err.Error())
			}
		})
	}
	group.Wait()
	slices.Sort(notAsked)
	return out, notAsked
}

// look asks one host. Root stands before the system's own paths, for tests.
func (c Cluster) look(ctx context.Context, h host.Host, at layout.Layout, root string) (out []Mention, notAsked []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	gone := strings.Join(slices.DeleteFunc(slices.Sorted(maps.Keys(c.Gone)), func(s string) bool { return !plainName.MatchString(s) }), " ")
	a, err := host.Ask(ctx, h, host.Script{What: "look for stale references",
		Text: fmt.Sprintf("GONE='%s' ROOT='%s'\n", gone, root) + at.Script(lookText)})
	if err != nil {
		return nil, nil, err
	}
	for _, name := range a.Names() {
		body, _ := a.Part(name)
		kind, path, _ := strings.Cut(name, " ")
		m := Mention{Host: h.Name(), Place: path}
		switch kind {
		case "words":
			seen, cut := words(h.Name(), string(body))
			if out = append(out, seen...); cut {
				notAsked = append(notAsked, h.Name()+": its files name more addresses than are read")
			}
		case "kubeconfig":
			m.Kind = Kubeconfig
			seen, err := c.servers(body, m)
			if out = append(out, seen...); err != nil {
				notAsked = append(notAsked, fmt.Sprintf("%s: %s cannot be read as a kubeconfig", h.Name(), path))
			}
		case "certificate":
			m.Kind = Certificate
			out = append(out, c.certified(body, m)...)
		}
	}
	return out, notAsked, nil
}

// words reads the lines of look.sh; cut says that there were more.
func words(hostName, text string) (out []Mention, cutShort bool) {
	for l := range strings.Lines(text) {
		f := strings.SplitN(strings.TrimSuffix(l, "\n"), "\t", 4)
		if len(f) != 4 {
			cutShort = cutShort || f[0] == "more"
			continue
		}
		m := Mention{Host: hostName, Kind: kinds[f[0]], Place: f[3]}
		m.Line, _ = strconv.Atoi(f[1])
		m.Name, m.Port = cut(f[2])
		if m.Kind != "" {
			out = append(out, m)
		}
	}
	return out, cutShort
}

// certified are the names of the first certificate in a file that is no CA's. An
// address there is a host's; a name may be anything.
func (c Cluster) certified(text []byte, at Mention) (out []Mention) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil || cert.IsCA {
		return nil
	}
	for _, ip := range cert.IPAddresses {
		m := at
		m.Name, m.Certain = ip.String(), true
		out = append(out, m)
	}
	for _, name := range cert.DNSNames {
		m := at
		if m.Name = name; c.counts(name) {
			out = append(out, m)
		}
	}
	return out
}

// sameCA says whether the first certificate of a PEM text is this one.
func sameCA(text, der []byte) bool {
	block, _ := pem.Decode(text)
	return block != nil && bytes.Equal(block.Bytes, der)
}
