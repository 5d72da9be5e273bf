package spec

import (
	"strings"
	"testing"
)

// A flag that a program does not have would end it at each start. What a version
// hides, or a version is not known of, is not refused.
func TestUnknownFlags(t *testing.T) {
	const version = "  kubernetes: {version: v1.36.3}\n"
	for _, x := range []struct{ version, more, want string }{
		{version, "components: {kube-apiserver: {extraArgs: {event-tll: 2h}}}",
			"kube-apiserver has no flag event-tll in this version; did you mean event-ttl?"},
		{version, "components: {kube-apiserver: {extraArgs: {event-ttl: 2h, apiserver-count: '3'}}}", ""},
		{version, "components: {kubelet: {extraArgs: {global-housekeeping-interval: 1m0s}}}", ""},
		{version, "components: {kubelet: {extraArgs: {event-ttl: 2h}}}", "kubelet has no flag event-ttl"},
		{version, "components: {etcd: {extraArgs: {enable-v2: 'false'}}}", "etcd has no flag enable-v2"},
		{version, "components: {etcd: {extraArgs: {quota-backend-bytes: '4294967296'}}}", ""},
		{version, "artifacts: {versions: {etcd: 3.5.21}}\n  components: {etcd: {extraArgs: {enable-v2: 'false'}}}", ""},
		{strings.Replace(version, "1.36.3", "1.35.2", 1), "components: {kube-apiserver: {extraArgs: {event-tll: 2h}}}", ""},
	} {
		text := strings.Replace(strings.Replace(good, version, x.version, 1), "  hosts", "  "+x.more+"\n  hosts", 1)
		_, _, err := Parse("cluster.yaml", []byte(text))
		switch {
		case x.want == "" && err != nil:
			t.Errorf("%s%s: %v", x.version, x.more, err)
		case x.want != "" && (err == nil || !strings.Contains(err.Error(), x.want)):
			t.Errorf("%s%s: %v; want %s", x.version, x.more, err, x.want)
		}
	}
}
