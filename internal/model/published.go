package model

// Published is the server that documents in the cluster name to those who read
// them, as a URL; "" where there is no such document, or it names none.
type Published struct {
	ClusterInfo   Known[string] // kube-public/cluster-info: who joins
	KubeProxy     Known[string] // kube-system/kube-proxy: kube-proxies that are pods
	KubeadmConfig Known[string] // kube-system/kubeadm-config: kubeadm, by hand
}

// Differs says that a document is known to name another server than is wanted.
// What is not wanted to be known is not compared.
func Differs(have, want Known[string]) bool {
	w, cares := want.Get()
	return cares && have.Known() && !have.Is(w)
}
