package artifact

import (
	"fmt"
	"slices"
	"strings"
)

// TestImage is the image that tests run; ask for it by the name "quorate-test".
const TestImage = "localhost/quorate-test:1"

// image is how one image is named and, when built here, what is in it.
type image struct {
	name     string
	ref      func(Versions) string
	programs []string // copied to dir
	dir      string
	user     string
	bare     bool // without the base layer (passwd, /tmp)
	// tools are programs of this machine that are copied with the libraries they
	// are linked against, when the image is built here.
	tools []tool
}

const officialRegistry = "registry.k8s.io"

// images are those quorate knows, by the names kubeadm uses for them.
var images = []image{
	{name: "pause", ref: func(v Versions) string { return officialRegistry + "/pause:" + v.Pause },
		programs: []string{"pause"}, dir: "/", user: "65535:65535", bare: true},
	{name: "coredns", ref: func(v Versions) string { return officialRegistry + "/coredns/coredns:v" + v.CoreDNS },
		programs: []string{"coredns"}, dir: "/"},
	{name: "metrics-server", ref: func(v Versions) string {
		return officialRegistry + "/metrics-server/metrics-server:v" + v.MetricsServer
	},
		programs: []string{"metrics-server"}, dir: "/", user: "65534"},
	{name: "quorate-test", ref: func(Versions) string { return TestImage },
		programs: []string{"quorate-test"}, dir: "/"},
	{name: "etcd", ref: func(v Versions) string { return officialRegistry + "/etcd:" + v.Etcd + "-0" },
		programs: []string{"etcd", "etcdctl", "etcdutl"}, dir: "/usr/local/bin/"},
	kubeImage("kube-apiserver"), kubeImage("kube-controller-manager"), kubeImage("kube-scheduler"),
	// Built here it has no iptables and no ipset: with it kube-proxy runs in its mode nftables only.
	{name: "kube-proxy", ref: func(v Versions) string { return officialRegistry + "/kube-proxy:" + v.Kubernetes },
		programs: []string{"kube-proxy"}, dir: "/usr/local/bin/", tools: []tool{{"nft", "nftables"}}},
}

// kubeImage is an image of one of Kubernetes' own programs.
func kubeImage(name string) image {
	return image{name: name, ref: func(v Versions) string { return officialRegistry + "/" + name + ":" + v.Kubernetes },
		programs: []string{name}, dir: "/usr/local/bin/"}
}

// SystemdImages lists the images that clusters of the systemd flavour need.
// What a cluster does not run is not brought to its hosts: unpacking it there
// is a good part of the time that a node takes.
func SystemdImages(metricsServer bool) []string {
	if metricsServer {
		return []string{"pause", "coredns", "metrics-server"}
	}
	return []string{"pause", "coredns"}
}

// StaticPodImages lists what clusters need whose etcd and API servers are static
// pods.
func StaticPodImages() []string { return append(SystemdImages(false), "etcd", "kube-apiserver") }

// KubeadmImages lists what clusters of the kubeadm flavour need.
func KubeadmImages(metricsServer bool) []string {
	return append(SystemdImages(metricsServer), "etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy")
}

// Needed is what the clusters of a flavour need.
type Needed struct {
	Programs []string
	Set      string // the name of their set of images
	Images   []string
}

// Flavour is what clusters of spec.kubernetes.flavour need.
func Flavour(name string, metricsServer bool) Needed {
	if name == "kubeadm" {
		return Needed{KubeadmNames(), name, KubeadmImages(metricsServer)}
	}
	return Needed{SystemdNames(), "systemd", SystemdImages(metricsServer)}
}

// ImageRef is the full name of an image: registry.k8s.io/pause:3.10.2.
func ImageRef(v Versions, name string) (string, error) {
	img, err := imageOf(name)
	if err != nil {
		return "", err
	}
	return img.ref(v), nil
}

// imageOf finds an image by name.
func imageOf(name string) (image, error) {
	var known []string
	for _, img := range images {
		if img.name == name {
			return img, nil
		}
		known = append(known, img.name)
	}
	return image{}, fmt.Errorf("image %q is unknown; known are %s", name, strings.Join(known, ", "))
}

// imagesOf finds several images, sorted by name and each once.
func imagesOf(names []string) ([]image, error) {
	names = slices.Clone(names)
	slices.Sort(names)
	var out []image
	for _, n := range slices.Compact(names) {
		img, err := imageOf(n)
		if err != nil {
			return nil, err
		}
		out = append(out, img)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("no images asked for")
	}
	return out, nil
}

// tarName is the name of a set's file.
func tarName(set string) (string, error) {
	if set == "" || strings.ContainsAny(set, "/ .") {
		return "", fmt.Errorf("image set %q: want one word", set)
	}
	return "images-" + set + ".tar", nil
}
