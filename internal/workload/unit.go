package workload

import (
	"maps"
	"slices"
	"strings"
)

// Unit is what differs between the unit files of components.
type Unit struct {
	Cluster     string
	Description string
	Docs        string
	After       []string // ordering only: starting one service never starts another
	Exec        string   // the whole ExecStart value
	Service     []string // further lines of [Service]
}

// UnitService makes a systemd service of a unit and its files. The unit is checked
// by systemd (250 or newer) before it takes effect.
func UnitService(name string, u Unit, certs []string, files ...File) Service {
	lines := []string{
		"[Unit]",
		"Description=" + u.Description,
		"Documentation=" + u.Docs,
		"X-Quorate=" + u.Cluster,
		"Wants=network-online.target",
		"After=" + strings.Join(append([]string{"network-online.target"}, u.After...), " "),
		// A component waits for its peers as long as it takes.
		"StartLimitIntervalSec=0",
		"",
		"[Service]",
		"ExecStart=" + u.Exec,
		"Restart=always",
		"RestartSec=2",
	}
	lines = append(lines, u.Service...)
	lines = append(lines, "", "[Install]", "WantedBy=multi-user.target", "")
	s := Service{Name: name, Unit: strings.Join(lines, "\n"), Files: files, Certs: certs}
	s.Verify = [][]string{s.VerifyUnit()}
	return s
}

// VerifyUnit is the command by which systemd checks the staged unit file.
func (s Service) VerifyUnit() []string {
	return []string{"systemd-analyze", "verify", "--man=no", "--recursive-errors=no", "{}" + s.Path()}
}

// CommandLine is the value of ExecStart: Words, one on each line.
func CommandLine(program string, flags, extra map[string]string) string {
	words := Words(program, flags, extra)
	for i := range words[1:] {
		words[i+1] = Quote(words[i+1])
	}
	return strings.Join(words, " \\\n  ")
}

// Words are a command line: the program, then our flags overridden and extended
// by the user's, sorted.
func Words(program string, flags, extra map[string]string) []string {
	all := maps.Clone(flags)
	maps.Copy(all, extra)
	words := []string{program}
	for _, flag := range slices.Sorted(maps.Keys(all)) {
		for _, value := range Each(all[flag]) {
			words = append(words, "--"+flag+"="+value)
		}
	}
	return words
}

// between separates the values of a flag that is given several times. No flag
// holds it: the kernel ends words with it.
const between = "\x00"

// Repeated is the value of a flag that is given several times; Each are its values.
func Repeated(values []string) string { return strings.Join(values, between) }

// Each are the values of a flag.
func Each(value string) []string { return strings.Split(value, between) }

// Environment is a line of a unit that sets a variable.
func Environment(name, value string) string {
	return `Environment="` + strings.ReplaceAll(escapes.Replace(name+"="+value), "%", "%%") + `"`
}

// Quote writes one word of ExecStart so that systemd reads it back unchanged
// (systemd.service(5), "Command lines"; systemd.unit(5), "Specifiers").
func Quote(word string) string {
	word = specifiers.Replace(word)
	if word != "" && !strings.ContainsAny(word, " \t\n\r\"'\\;") {
		return word
	}
	return `"` + escapes.Replace(word) + `"`
}

var (
	specifiers = strings.NewReplacer("%", "%%", "$", "$$")
	escapes    = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\t", `\t`, "\r", `\r`)
)
