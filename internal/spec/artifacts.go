package spec

import (
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

var (
	componentVersion = regexp.MustCompile(`^v?\d+\.\d+(\.\d+)?(-[0-9A-Za-z.-]+)?$`)
	sha256Form       = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// ArtifactKeys are the keys that spec.artifacts.baseURLs and versions may have.
func ArtifactKeys() (hosts, components []string) {
	return artifactKeys("BaseURLs"), artifactKeys("Versions")
}

// artifactKeys are the keys that a map of spec.artifacts may have.
func artifactKeys(name string) []string {
	f, _ := reflect.TypeFor[Artifacts]().FieldByName(name)
	return field{StructField: f}.set("keys")
}

func judgeArtifacts(r *report, a Artifacts) {
	const path = "spec.artifacts"
	hosts, components := ArtifactKeys()
	for _, host := range sorted(a.BaseURLs) {
		here := child(path+".baseURLs", host)
		if !slices.Contains(hosts, host) {
			r.bad(here, oneOf(hosts), "unknown host%s", meant(host, hosts))
			continue
		}
		judgeBaseURL(r, here, a.BaseURLs[host])
	}
	for _, name := range sorted(a.Versions) {
		here, version := child(path+".versions", name), a.Versions[name]
		switch {
		case name == "kubernetes":
			r.note(Issue{Path: here, Problem: "spec.kubernetes.version says it", Next: "remove it"})
		case !slices.Contains(components, name):
			r.bad(here, oneOf(components), "unknown component%s", meant(name, components))
		case version == "":
			r.bad(here, "a version", "missing")
		case !componentVersion.MatchString(version):
			r.bad(here, "a version such as 3.6.8", "%s is not a version", shown(version))
		}
	}
	for _, of := range sorted(a.Checksums) {
		here, sum := child(path+".checksums", of), a.Checksums[of]
		host, file, _ := strings.Cut(of, "/")
		switch {
		case !slices.Contains(hosts, host) || file == "":
			r.bad(here, "the address at the project, such as dl.k8s.io/release/v1.36.3/bin/linux/amd64/kubelet",
				"%s is not below %s", shown(of), oneOf(hosts))
		case !sha256Form.MatchString(sum):
			r.bad(here, "64 digits of 0-9 and a-f", "%s is not a SHA-256", shown(sum))
		}
	}
	if a.Source == "modules" {
		unused := map[string]int{"baseURLs": len(a.BaseURLs), "checksums": len(a.Checksums)}
		for _, key := range sorted(unused) {
			if unused[key] > 0 {
				r.warn(Unused, path+"."+key, "source: upstream", "without effect: what is built from Go modules is not downloaded there")
			}
		}
	}
}

// judgeBaseURL never shows an address that may hold a password.
func judgeBaseURL(r *report, path, s string) {
	u, err := url.Parse(s)
	switch {
	case err == nil && u.User != nil, strings.Contains(s, "@"):
		r.bad(path, "an address without them, and for a mirror that asks for them a proxy on this machine (HTTPS_PROXY)",
			"holds a user name or a password, and the file is copied into the cluster")
	case err == nil && (u.RawQuery != "" || u.ForceQuery || u.Fragment != ""):
		r.bad(path, "an address that a path can be appended to", "holds a query or a fragment")
	case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "":
		r.bad(path, "https://…, or http://… for files whose checksums are pinned", "%s is not a web address", shown(s))
	}
}
