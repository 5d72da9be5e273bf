package addon

import (
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"quorate.dev/quorate/internal/pki"
)

func user(name string) rbacv1.Subject {
	return rbacv1.Subject{Kind: "User", APIGroup: rbacv1.GroupName, Name: name}
}

func group(name string) rbacv1.Subject {
	return rbacv1.Subject{Kind: "Group", APIGroup: rbacv1.GroupName, Name: name}
}

func account(name string) rbacv1.Subject {
	return rbacv1.Subject{Kind: "ServiceAccount", Namespace: metav1.NamespaceSystem, Name: name}
}

// AdminGroup is the group of people who may do everything. Unlike
// system:masters it is bound by RBAC, so that it can be taken back.
const AdminGroup = "quorate:admins"

const csr = "system:certificates.k8s.io:certificatesigningrequests:"

// bindings join the users and groups of our certificates and tokens with roles
// that every API server has (plugin/pkg/auth/authorizer/rbac/bootstrappolicy).
// The API server itself binds kube-proxy, scheduler and controller-manager.
func bindings() []runtime.Object {
	return []runtime.Object{
		// kubectl logs and exec: the API server asks kubelets.
		bind("kube-apiserver:kubelet-apis", "system:kubelet-api-admin", user(pki.KubeletClientUser)),
		// Whoever has a bootstrap token may ask for a node's certificate, and a person
		// says whether it gets that: a token is good for any name. A kubelet renews its own.
		bind("quorate:node-bootstrapper", "system:node-bootstrapper", group("system:bootstrappers")),
		bind("quorate:approve-renewals", csr+"selfnodeclient", group("system:nodes")),
		bind("quorate:admins", "cluster-admin", group(AdminGroup)),
	}
}

// retired are bindings that earlier versions of quorate made, and that a cluster
// must not keep: by this one a token got a certificate of any node's name.
func retired() []runtime.Object {
	return []runtime.Object{bind("quorate:approve-new-nodes", csr+"nodeclient", group("system:bootstrappers"))}
}

// kubeadmAdmins is the binding that kubeadm makes for its admin.conf.
func kubeadmAdmins() runtime.Object {
	return bind(pki.KubeadmAdmins, "cluster-admin", group(pki.KubeadmAdmins))
}

func bind(name, role string, to rbacv1.Subject) runtime.Object {
	return &rbacv1.ClusterRoleBinding{
		TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "ClusterRoleBinding"},
		ObjectMeta: metav1.ObjectMeta{Name: name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
		Subjects:   []rbacv1.Subject{to},
	}
}

func clusterRole(name string, rules ...rbacv1.PolicyRule) runtime.Object {
	return &rbacv1.ClusterRole{
		TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "ClusterRole"},
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Rules:      rules,
	}
}

// bindIn binds a role of a namespace there.
func bindIn(namespace, name, role string, to rbacv1.Subject) runtime.Object {
	return &rbacv1.RoleBinding{
		TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "RoleBinding"},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: role},
		Subjects:   []rbacv1.Subject{to},
	}
}

// clusterInfoReaders lets whoever has a certificate or a token read
// kube-public/cluster-info.
func clusterInfoReaders() []runtime.Object {
	const name = "quorate:cluster-info"
	return []runtime.Object{
		&rbacv1.Role{
			TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "Role"},
			ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespacePublic, Name: name},
			Rules: []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"configmaps"},
				ResourceNames: []string{"cluster-info"}, Verbs: []string{"get"}}},
		},
		bindIn(metav1.NamespacePublic, name, name, group("system:authenticated")),
	}
}
