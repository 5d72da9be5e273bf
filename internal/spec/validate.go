package spec

import (
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// SupportedMinors are the Kubernetes versions quorate can build and run.
var SupportedMinors = []string{"1.35", "1.36"}

var (
	dnsLabel     = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)
	fullVersion  = regexp.MustCompile(`^v(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)$`)
	longValidity = 36500 // days; certificates end before the year 10000
)

// Validate judges a cluster whose defaults are applied and finds all mistakes
// at once. It opens no file; Parse and Load call it and add positions.
func Validate(c *Cluster) ([]Issue, []Warning) {
	r := newReport("")
	judge(r, c)
	return r.issues, r.warnings
}

func judge(r *report, c *Cluster) {
	r.flags = knownFlags(c)
	closedSets(r, reflect.ValueOf(*c), "")
	switch name := c.Metadata.Name; {
	case name == "":
		r.bad("metadata.name", "a name such as prod", "missing")
	case !dnsLabel.MatchString(name):
		r.bad("metadata.name", "lower-case letters, digits and dashes, 63 at most", "%s is not a DNS label", shown(name))
	}
	judgeVersion(r, c.Spec.Kubernetes.Version)
	judgePKI(r, c.Spec.PKI)
	judgeHosts(r, c)
	judgeRoles(r, c)
	judgeNetwork(r, c)
	judgeEndpoint(r, c)
	judgeBalancer(r, c)
	judgeArtifacts(r, c.Spec.Artifacts)
	judgeFlags(r, c.Spec.Components)
	judgeConfigurations(r, c)
	judgeKubeadm(r, c)
	judgeAdopted(r, c)
}

// closedSets checks every string whose field has an enum tag.
func closedSets(r *report, v reflect.Value, path string) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			closedSets(r, v.Elem(), path)
		}
	case reflect.Slice:
		for i := range v.Len() {
			closedSets(r, v.Index(i), item(path, i))
		}
	case reflect.Struct:
		for _, f := range fieldsOf(v.Type()) {
			fv, here := v.FieldByIndex(f.index), child(path, f.key)
			set := f.set("enum")
			if set == nil {
				closedSets(r, fv, here)
				continue
			}
			if list, ok := fv.Interface().([]string); ok {
				for i, s := range list {
					oneOfSet(r, item(here, i), "role", s, f)
				}
				continue
			}
			oneOfSet(r, here, f.key, fv.String(), f)
		}
	}
}

func oneOfSet(r *report, path, what, value string, f field) {
	known, built := f.set("enum"), f.set("built")
	if built == nil {
		built = known
	}
	switch {
	case slices.Contains(built, value):
	case value == "":
		r.bad(path, oneOf(built), "missing")
	case slices.Contains(known, value):
		r.bad(path, oneOf(built), "%s %s is not supported yet", what, value)
	default:
		r.bad(path, oneOf(built), "unknown %s %s", what, shown(value))
	}
}

func judgeVersion(r *report, version string) {
	const path = "spec.kubernetes.version"
	if version == "" {
		r.bad(path, "a version such as v"+SupportedMinors[len(SupportedMinors)-1]+".3", "missing")
		return
	}
	m := fullVersion.FindStringSubmatch(version)
	switch {
	case m == nil && fullVersion.MatchString("v"+version):
		r.bad(path, "v"+version, "%s lacks the v", shown(version))
	case m == nil:
		r.bad(path, "vX.Y.Z", "%s is not a full version", shown(version))
	case !slices.Contains(SupportedMinors, m[1]+"."+m[2]):
		r.bad(path, "a version of "+oneOf(SupportedMinors), "%s is not one quorate knows", version)
	}
}

func judgePKI(r *report, p PKI) {
	days := func(key string, n int) bool {
		if n < 1 || n > longValidity {
			r.bad("spec.pki."+key, "1 to 36500 days", "%d is no usable validity", n)
			return false
		}
		return true
	}
	leaf, ca := days("certificateDays", p.CertificateDays), days("caDays", p.CADays)
	if leaf && ca && p.CertificateDays > p.CADays {
		r.bad("spec.pki.certificateDays", "no more than caDays", "%d days outlive their authority's %d", p.CertificateDays, p.CADays)
	}
}

// isSubdomain says whether s is a lower-case DNS name (RFC 1123 subdomain).
func isSubdomain(s string) bool {
	for label := range strings.SplitSeq(s, ".") {
		if !dnsLabel.MatchString(label) {
			return false
		}
	}
	return len(s) <= 253
}

// looksLikeIP says whether s is digits and dots only: an address, or a broken one.
func looksLikeIP(s string) bool {
	return s != "" && strings.Trim(s, "0123456789.") == "" || strings.Contains(s, ":")
}
