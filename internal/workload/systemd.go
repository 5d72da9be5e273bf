package workload

import (
	"fmt"
	"strings"

	"quorate.dev/quorate/internal/layout"
)

// Systemd runs each component as a unit of its own.
type Systemd struct{}

// Path of the unit file.
func (Systemd) Path(name string) string { return layout.UnitDir + "/" + unitOf(name) }

// Stamped puts the stamp into the process's environment.
func (Systemd) Stamped(s Service, stamp string) string {
	if s.Reload { // its environment would tell what it was started with
		return s.Unit
	}
	env := fmt.Sprintf("[Service]\nEnvironment=%s=%s\n", StampEnv, stamp)
	if s.Version != "" {
		env += fmt.Sprintf("Environment=%s=%s\n", VersionEnv, s.Version)
	}
	return strings.Replace(s.Unit, "[Service]\n", env, 1)
}

// Begin enables the units and lets systemd read them again, once: each reload
// runs all its generators.
func (Systemd) Begin(names []string) string {
	var units strings.Builder
	for _, n := range names {
		units.WriteString(" " + unitOf(n))
	}
	return fmt.Sprintf("systemctl unmask -q --no-reload%[1]s; systemctl enable -q --no-reload%[1]s; systemctl daemon-reload\n", units.String())
}

// Apply never waits: a member of etcd starts only once its peers do.
func (Systemd) Apply(s Service, c Change) string {
	unit := unitOf(s.Name)
	switch c {
	case Reload:
		return fmt.Sprintf("systemctl reload %s\n", unit)
	case Restart:
		verb := "restart"
		if s.Resumes { // one that is active has lost its definition, and clients it still serves
			verb = "reload-or-restart"
		}
		return fmt.Sprintf("systemctl reset-failed -q %[1]s 2>/dev/null || true; systemctl %[2]s --no-block %[1]s\n", unit, verb)
	}
	return ""
}

// SetOverridesAside moves the drop-ins that give the service another command.
// Others stay: a proxy's address or a limit is the user's to set.
func (Systemd) SetOverridesAside(name string) string {
	return fmt.Sprintf(`for f in /etc/systemd/system/%[1]s.d/*.conf /run/systemd/system/%[1]s.d/*.conf; do
	[ -f "$f" ] && grep -q '^[[:space:]]*Exec' "$f" || continue
	mkdir -p -m 700 %[2]s; mkdir -p "$k${f%%/*}"; mv "$f" "$k$f"; echo "$f"; echo "$k$f"
	rmdir "${f%%/*}" 2>/dev/null || true
done`, unitOf(name), layout.Quorate().Kept)
}

// Diagnose asks the journal. Where SELinux is enforced it may be what keeps a
// program from its files, ports and peers, and the program's log does not know.
func (Systemd) Diagnose(name string) string {
	return fmt.Sprintf(`systemctl is-active %[1]s || true; systemctl show -p DropInPaths %[1]s | grep . || true; journalctl -q -u %[1]s -n 300 --no-pager -o cat 2>/dev/null |
	%[2]s
%[3]s`, name, lastLines, denials)
}
