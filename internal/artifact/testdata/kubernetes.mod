// A cut of k8s.io/kubernetes' own go.mod.
module k8s.io/kubernetes

go 1.26.0

godebug default=go1.26

require (
	k8s.io/api v0.0.0
	k8s.io/apimachinery v0.0.0
)

replace (
	k8s.io/api => ./staging/src/k8s.io/api
	k8s.io/apimachinery => ./staging/src/k8s.io/apimachinery
	k8s.io/client-go => ./staging/src/k8s.io/client-go
)

replace example.com/forked => example.com/fork v1.2.3

replace go.etcd.io/etcd => ./FORBIDDEN_DEPENDENCY
