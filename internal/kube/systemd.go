package kube

import (
	"maps"
	"slices"
	"strings"

	"quorate.dev/quorate/internal/unit"
)

// section is what differs between the unit files of the components.
type section struct {
	description string
	docs        string
	after       []string // ordering only: starting one service never starts another
	exec        string   // the whole ExecStart value
	service     []string // further lines of [Service]
}

// service makes the systemd service name out of its section and its files. The
// unit is checked by systemd (250 or newer) before it takes effect.
func (c Context) service(name string, s section, certs []string, files ...unit.File) unit.Service {
	lines := []string{
		"[Unit]",
		"Description=" + s.description,
		"Documentation=" + s.docs,
		"X-Quorate=" + c.Cluster,
		"Wants=network-online.target",
		"After=" + strings.Join(append([]string{"network-online.target"}, s.after...), " "),
		// A component waits for its peers as long as it takes.
		"StartLimitIntervalSec=0",
		"",
		"[Service]",
		"ExecStart=" + s.exec,
		"Restart=always",
		"RestartSec=2",
	}
	lines = append(lines, s.service...)
	lines = append(lines, "", "[Install]", "WantedBy=multi-user.target", "")
	svc := unit.Service{Name: name, Unit: strings.Join(lines, "\n"), Files: files, Certs: certs}
	svc.Verify = [][]string{verifyUnit(svc)}
	return svc
}

func verifyUnit(s unit.Service) []string {
	return []string{"systemd-analyze", "verify", "--man=no", "--recursive-errors=no", "{}" + s.UnitPath()}
}

// confined is the hardening of the components that only compute and speak over
// the network. It holds inside a container host as well: no seccomp filters, no
// device or kernel namespaces.
var confined = []string{
	"NoNewPrivileges=yes",
	"CapabilityBoundingSet=",
	"ProtectSystem=full",
	"ProtectHome=yes",
	"PrivateTmp=yes",
}

// command is a component's command line: our flags overridden and extended by
// the user's, sorted, one on each line.
func command(name string, flags, extra map[string]string) string {
	all := maps.Clone(flags)
	maps.Copy(all, extra)
	words := []string{BinDir + "/" + name}
	for _, flag := range slices.Sorted(maps.Keys(all)) {
		words = append(words, quote("--"+flag+"="+all[flag]))
	}
	return strings.Join(words, " \\\n  ")
}

// quote writes one word of ExecStart (systemd.service(5), "Command lines";
// systemd.unit(5), "Specifiers").
func quote(word string) string {
	word = strings.NewReplacer("%", "%%", "$", "$$").Replace(word)
	if !strings.ContainsAny(word, " \t\n\"'\\;") {
		return word
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\t", `\t`).Replace(word) + `"`
}
