package artifact

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Upstream takes the projects' own release files and images, from them or from
// mirrors. It believes a file only when it has the checksum that is pinned, or
// that the project itself publishes over HTTPS.
type Upstream struct {
	store   *Store
	bases   map[string]string // upstream host → base URL
	origins map[string]string // the same without mirrors: whose word counts
	pins    map[string]string
	client  *http.Client
	local   *Modules // for the test image, which nobody publishes
	pause   time.Duration
}

// upstreamBases are the hosts releases come from. A mirror replaces one by
// the key of its host name.
var upstreamBases = map[string]string{
	"dl.k8s.io":       "https://dl.k8s.io",
	"github.com":      "https://github.com",
	"registry.k8s.io": "https://registry.k8s.io",
}

// NewUpstream makes a source that downloads into store as trust says
// (spec.artifacts.baseURLs and checksums).
func NewUpstream(store *Store, trust Trust) (*Upstream, error) {
	bases, plain, baseURLs := maps.Clone(upstreamBases), map[string]bool{}, trust.BaseURLs
	for _, host := range slices.Sorted(maps.Keys(baseURLs)) {
		if bases[host] == "" {
			return nil, fmt.Errorf("artifacts.baseURLs: unknown host %q; known are %s", host, strings.Join(slices.Sorted(maps.Keys(bases)), ", "))
		}
		base := strings.TrimSuffix(baseURLs[host], "/")
		u, err := url.Parse(base)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
			return nil, fmt.Errorf("artifacts.baseURLs.%s is not a URL of the form https://mirror.example.com/path", host)
		}
		plain[u.Host] = plain[u.Host] || u.Scheme == "http"
		bases[host] = base
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.ResponseHeaderTimeout = 30 * time.Second
	return &Upstream{store: store, bases: bases, origins: upstreamBases, pins: trust.Checksums,
		client: &http.Client{Transport: secured{transport, plain}},
		local:  NewModules(store), pause: 2 * time.Second}, nil
}

// release is where a project publishes a component's programs.
type release struct {
	component string
	host      string
	// url and sums are paths below the host; {v} is the version, {arch} the
	// processor, {name} the program.
	url, sums string
	// archive says that url is a tar.gz which holds the programs.
	archive bool
}

// releases are the components that are published as files. The static build
// of containerd is taken: it runs on hosts with any C library.
var releases = []release{
	{"kubernetes", "dl.k8s.io", "/release/v{v}/bin/linux/{arch}/{name}", "/release/v{v}/bin/linux/{arch}/{name}.sha256", false},
	{"etcd", "github.com", "/etcd-io/etcd/releases/download/v{v}/etcd-v{v}-linux-{arch}.tar.gz",
		"/etcd-io/etcd/releases/download/v{v}/SHA256SUMS", true},
	{"containerd", "github.com", "/containerd/containerd/releases/download/v{v}/containerd-static-{v}-linux-{arch}.tar.gz",
		"/containerd/containerd/releases/download/v{v}/containerd-static-{v}-linux-{arch}.tar.gz.sha256sum", true},
	{"runc", "github.com", "/opencontainers/runc/releases/download/v{v}/runc.{arch}",
		"/opencontainers/runc/releases/download/v{v}/runc.sha256sum", false},
	{"cni", "github.com", "/containernetworking/plugins/releases/download/v{v}/cni-plugins-linux-{arch}-v{v}.tgz",
		"/containernetworking/plugins/releases/download/v{v}/cni-plugins-linux-{arch}-v{v}.tgz.sha256", true},
	{"crictl", "github.com", "/kubernetes-sigs/cri-tools/releases/download/v{v}/crictl-v{v}-linux-{arch}.tar.gz",
		"/kubernetes-sigs/cri-tools/releases/download/v{v}/crictl-v{v}-linux-{arch}.tar.gz.sha256", true},
	{"coredns", "github.com", "/coredns/coredns/releases/download/v{v}/coredns_{v}_linux_{arch}.tgz",
		"/coredns/coredns/releases/download/v{v}/coredns_{v}_linux_{arch}.tgz.sha256", true},
}

// Fetch downloads what of names is not in the store yet.
func (u *Upstream) Fetch(ctx context.Context, v Versions, arch string, names []string, progress func(Event)) ([]File, error) {
	order, groups, err := byComponent(names)
	if err != nil {
		return nil, err
	}
	all := map[string]File{}
	for _, c := range order {
		i := slices.IndexFunc(releases, func(r release) bool { return r.component == c })
		if i < 0 {
			return nil, fmt.Errorf("%s is not published as a file; ask for its image, or set artifacts.source: modules", c)
		}
		version := strings.TrimPrefix(v.Get(c), "v")
		files, err := u.component(ctx, releases[i], version, arch, groups[c], progress)
		if err != nil {
			return nil, fmt.Errorf("download %s %s: %w", c, version, err)
		}
		maps.Copy(all, files)
	}
	return inOrder(names, all), nil
}

// component brings the named programs of one release.
func (u *Upstream) component(ctx context.Context, r release, version, arch string, names []string,
	progress func(Event)) (map[string]File, error) {
	tell := teller(r.component, progress)
	key := Key{Source: "upstream", Component: r.component, Version: version, Arch: arch, Recipe: r.url}
	// A pin decides also about what was downloaded before it was set.
	lookup := func() (map[string]File, []string, error) {
		return u.store.lookupOf(key, names, tell, func(name string, got Record) bool {
			file, _ := r.at(version, arch, name)
			pin := u.pin(file)
			return pin == "" || pin == got.From || !r.archive && pin == got.SHA256
		})
	}
	have, missing, err := lookup()
	if err != nil {
		return nil, err
	}
	if len(missing) == 0 {
		tell("cached", strings.Join(names, " "), len(names), len(names))
		return have, nil
	}
	w, err := u.store.begin(ctx, key.lockName(), func() { tell("wait", "another quorate is downloading it", 0, 0) })
	if err != nil {
		return nil, err
	}
	defer w.end()
	if have, missing, err = lookup(); err != nil {
		return nil, err
	}
	start := time.Now()
	for len(missing) > 0 {
		made, from, err := u.take(ctx, r, version, arch, missing, w.dir, tell)
		if err != nil {
			return nil, err
		}
		if err := u.store.record(key, time.Since(start), origin{from: from}, made...); err != nil {
			return nil, err
		}
		if have, missing, err = lookup(); err != nil {
			return nil, err
		}
	}
	tell("done", strings.Join(names, " "), len(names), len(names))
	return have, nil
}

// at is where a program's file is published, host first, and the path of its checksums there.
func (r release) at(version, arch, program string) (file, sums string) {
	fill := strings.NewReplacer("{v}", version, "{arch}", arch, "{name}", program)
	return r.host + fill.Replace(r.url), fill.Replace(r.sums)
}

// take downloads one file of a release and adds what it holds to the store: at
// least the first of the missing programs. from is the file's digest.
func (u *Upstream) take(ctx context.Context, r release, version, arch string, missing []string, dir string, tell telling) (made []File,
	from string, err error) {
	file, sums := r.at(version, arch, missing[0])
	url := u.bases[r.host] + strings.TrimPrefix(file, r.host)
	want, err := u.expected(ctx, file, sums, tell)
	if err != nil {
		return nil, "", err
	}
	part := filepath.Join(u.store.root, "download", want+".part")
	if err := u.download(ctx, url, want, part, tell); err != nil {
		return nil, "", err
	}
	defer os.Remove(part)
	if !r.archive {
		f, err := u.store.add(missing[0], part)
		return []File{f}, want, err
	}
	programs := missing
	for _, c := range components {
		if c.name == r.component {
			programs = c.programs
		}
	}
	found, err := extract(part, programs, dir)
	if err != nil {
		return nil, "", fmt.Errorf("unpack %s: %w", url, err)
	}
	for _, n := range missing {
		if !slices.Contains(found, n) {
			return nil, "", fmt.Errorf("unpack %s: it holds no %s", url, n)
		}
	}
	for _, n := range found {
		f, err := u.store.add(n, filepath.Join(dir, n))
		if err != nil {
			return nil, "", err
		}
		made = append(made, f)
	}
	return made, want, nil
}
