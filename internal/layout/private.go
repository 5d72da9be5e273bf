package layout

import (
	"slices"
	"strings"

	"quorate.dev/quorate/internal/model"
)

// Private is the folder of a component that runs as a user of its own. The
// cluster's files belong to root; here lie copies of those that it reads, which
// belong to its user.
func (l Layout) Private(c model.Component) string { return l.Own.State + "/" + l.Unit(c) }

// User is the system user of such a component.
func (l Layout) User(c model.Component) string {
	if slices.Contains(model.Doors, c) {
		return l.DoorUser
	}
	return l.Unit(c)
}

// For is the layout as such a component sees it: its copies in the place of
// root's files.
func (l Layout) For(c model.Component) Layout {
	root, private := l.Kubernetes+"/", l.Private(c)+"/"
	l.PKI = l.PKI.moved(private + "pki")
	for _, p := range []*string{
		&l.APIServer.AuditPolicy, &l.APIServer.Authentication, &l.APIServer.Admission,
		&l.ControllerManager.Kubeconfig, &l.Scheduler.Kubeconfig, &l.Scheduler.Config,
	} {
		if rest, ok := strings.CutPrefix(*p, root); ok {
			*p = private + rest
		}
	}
	return l
}

// Original is where root's file lies that a path names a component's copy of.
func (l Layout) Original(c model.Component, path string) (string, bool) {
	rest, ok := strings.CutPrefix(path, l.Private(c)+"/")
	if key, is := strings.CutPrefix(rest, "pki/"); ok && is {
		return l.PKI.Dir + "/" + key, true
	}
	return l.Kubernetes + "/" + rest, ok
}
