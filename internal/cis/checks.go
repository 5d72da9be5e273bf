package cis

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"quorate.dev/quorate/internal/layout"
	"quorate.dev/quorate/internal/model"
)

// check is a row of the benchmark.
type check struct {
	id, title string
	manual    bool // the benchmark leaves it to a person; where something can be seen, it is judged all the same
	on        func(model.Role) bool
	judge     judge
	fix       string
}

// checks are all rows, in the benchmark's order.
var checks = slices.SortedFunc(slices.Values(slices.Concat(controlPlane, apiServer, nodesAndEtcd)), func(a, b check) int {
	return slices.CompareFunc(strings.Split(a.id, "."), strings.Split(b.id, "."), func(a, b string) int {
		return cmp.Compare(number(a), number(b))
	})
})

func number(s string) int {
	n, _ := strconv.Atoi(s) // of our own table
	return n
}

// apply repairs what quorate itself decides.
const apply = "quorate apply"

// Whom a check is about.

func controlPlanes(r model.Role) bool { return r.Has(model.ControlPlane) }
func members(r model.Role) bool       { return r.Has(model.EtcdHost) }
func nodes(r model.Role) bool         { return r.Node() }

// Which files a check is about.

func cni(at layout.Layout) []string  { return []string{at.CNI.Conf, at.CNI.State + "/networks"} }
func keys(at layout.Layout) []string { return []string{at.PKI.Dir} }

func unitOf(c model.Component) paths {
	return func(at layout.Layout) []string { return []string{at.UnitPath(c)} }
}

func etcdData(at layout.Layout) []string      { return []string{at.Etcd.Data} }
func schedulerConf(at layout.Layout) []string { return []string{at.Scheduler.Kubeconfig} }
func managerConf(at layout.Layout) []string   { return []string{at.ControllerManager.Kubeconfig} }
func kubeletConf(at layout.Layout) []string   { return []string{at.Kubelet.Kubeconfig} }
func kubeletConfig(at layout.Layout) []string { return []string{at.Kubelet.Config} }
func proxyConf(at layout.Layout) []string     { return []string{at.KubeProxy.Kubeconfig} }
func clientCA(at layout.Layout) []string      { return []string{at.PKI.CA.Cert} }

// The ciphers that the benchmark allows.
const (
	kubeletCiphers = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 " +
		"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305 TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305 " +
		"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"
	apiServerCiphers = kubeletCiphers + " TLS_AES_128_GCM_SHA256 TLS_AES_256_GCM_SHA384 TLS_CHACHA20_POLY1305_SHA256 " +
		"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"
)

// encrypts: what is written is encrypted by the first provider.
func encrypts(s *seen) (Result, string) {
	if len(s.providers) == 0 {
		return Fail, "no provider"
	}
	return verdict(slices.Contains([]string{"aescbc", "kms", "secretbox"}, s.providers[0])), strings.Join(s.providers, ", ")
}

// ownCA: etcd trusts another CA than the API server.
func ownCA(s *seen) (Result, string) {
	args, runs := s.args[model.Etcd]
	if !runs {
		return Fail, model.Etcd.String() + " does not run"
	}
	at, sum := args["trusted-ca-file"], s.sums[args["trusted-ca-file"]]
	switch {
	case sum == "":
		return Review, "its CA is in " + at
	case sum == s.sums[s.at.PKI.CA.Cert]:
		return Fail, at + " is the cluster's CA"
	}
	return Pass, at
}
