package adopt

import (
	"context"
	_ "embed"
	"encoding/base64"
	"fmt"
	"net"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/layout"
)

//go:embed look.sh
var lookText string

// lookTimeout bounds the look at one host.
const lookTimeout = 30 * time.Second

// Seen is what was seen on one host. Err is why nothing was.
type Seen struct {
	Err                  error
	Hostname, OS, Kernel string
	Addresses            []string
	Offset               time.Duration
	Marker               string // the cluster of quorate's that it belongs to
	Processes            []Process
	KubeletConfigPath    string
	KubeletConfig        string
	KubeletConfPath      string
	Server               string   // the kubelet's, by its kubeconfig
	Resolved             []string // what the host takes the name in Server for
	KubeletFlags         string
	ManifestDir          string
	Units                map[string]string // text of unit files with what is laid over them
	Files                map[string]string // manifests, by path
	Certs                map[string][]byte // by path, PEM; of kubeconfigs with a line "# server URL"
	CNI                  map[string]string
	Balancers            map[string]string
	Keys                 []string // paths of private keys
	Listeners, Peers     string
	Lacks                []string
	Programs             map[string]Program
}

// Program is one on the path of everybody.
type Program struct{ Path, Version string }

// Process is one of a cluster's programs that runs.
type Process struct {
	Name, Exe, Unit string // Unit: without .service; "": none
	PID             int
	Argv            []string
	Contained       bool // it runs in a container
}

// Flags are its arguments by name, each with all its values.
func (p Process) Flags() map[string][]string { return flagsOf(p.Argv) }

// flagsOf reads --name=value and --name value.
func flagsOf(argv []string) map[string][]string {
	out := map[string][]string{}
	for i := 1; i < len(argv); i++ {
		word := strings.TrimLeft(argv[i], "-")
		if word == argv[i] || word == "" {
			continue
		}
		name, value, has := strings.Cut(word, "=")
		if !has {
			if value = "true"; i+1 < len(argv) && !strings.HasPrefix(argv[i+1], "-") {
				i++
				value = argv[i]
			}
		}
		out[name] = append(out[name], value)
	}
	return out
}

// Process is the first of a name that runs, and whether there is one.
func (s Seen) Process(name string) (Process, bool) {
	for _, p := range s.Processes {
		if p.Name == name {
			return p, true
		}
	}
	return Process{}, false
}

// Flag is the last value of a flag of a process; "" when it has none.
func (s Seen) Flag(process, flag string) string {
	p, _ := s.Process(process)
	if all := p.Flags()[flag]; len(all) > 0 {
		return all[len(all)-1]
	}
	return ""
}

func look(ctx context.Context, h host.Host) Seen {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	text := "BALANCERS='" + strings.Join(layout.BalancerConfigs, " ") + "'\n" + lookText
	a, err := host.Ask(ctx, h, host.Script{What: "look at the host", Text: layout.Kubeadm().Script(text), Secret: true})
	if err != nil {
		return Seen{Err: err}
	}
	return read(a, time.Now())
}

// lookAll looks at hosts side by side.
func lookAll(ctx context.Context, hosts []host.Host) []Seen {
	out := make([]Seen, len(hosts))
	var group sync.WaitGroup
	for i, h := range hosts {
		group.Go(func() { out[i] = look(ctx, h) })
	}
	group.Wait()
	return out
}

var inet = regexp.MustCompile(` inet6? ([^ /]+)`)

// read takes an answer apart.
func read(a host.Answer, now time.Time) Seen {
	s := Seen{Hostname: a.Text("hostname"), OS: strings.Trim(a.Text("os"), `"`), Kernel: a.Text("kernel"), Marker: a.Text("marker"),
		KubeletFlags: a.Text("kubelet-flags"), Listeners: a.Text("sockets"), Peers: a.Text("peers"), Lacks: strings.Fields(a.Text("needs")),
		Keys: strings.Fields(a.Text("keys")), Units: map[string]string{}, Files: map[string]string{}, Certs: map[string][]byte{},
		CNI: map[string]string{}, Balancers: map[string]string{}, Programs: map[string]Program{}}
	for _, m := range inet.FindAllStringSubmatch(a.Text("address"), -1) {
		s.Addresses = append(s.Addresses, m[1])
	}
	if sec, err := strconv.ParseInt(a.Text("now"), 10, 64); err == nil {
		s.Offset = time.Unix(sec, 0).Sub(now.Truncate(time.Second))
	}
	s.KubeletConfigPath, s.KubeletConfig, _ = strings.Cut(a.Text("kubelet-config"), "\n")
	conf := ""
	s.KubeletConfPath, conf, _ = strings.Cut(a.Text("kubelet-conf"), "\n")
	for l := range strings.Lines(conf) {
		if server, is := strings.CutPrefix(strings.TrimSpace(l), "server: "); is {
			s.Server = server
		}
	}
	for l := range strings.Lines(a.Text("resolved")) {
		if w := strings.Fields(l); len(w) > 0 && !slices.Contains(s.Resolved, w[0]) {
			s.Resolved = append(s.Resolved, w[0])
		}
	}
	s.ManifestDir, _, _ = strings.Cut(a.Text("manifests"), "\n")
	for _, part := range a.Names() {
		kind, of, _ := strings.Cut(part, " ")
		body, _ := a.Part(part)
		switch kind {
		case "file":
			s.Files[of] = string(body)
		case "unit":
			s.Units[of] = string(body)
		case "cert", "conf":
			s.Certs[of] = body
		case "cni":
			s.CNI[of] = string(body)
		case "balancer":
			s.Balancers[of] = string(body)
		}
	}
	for l := range strings.Lines(a.Text("versions")) {
		if w := strings.Fields(l); len(w) > 2 {
			s.Programs[w[0]] = Program{w[1], versionIn(w[2:])}
		}
	}
	s.processes(a.Text("processes"), strings.TrimSuffix(a.Text("first"), "/init.scope"))
	return s
}

var aVersion = regexp.MustCompile(`^v?\d+\.\d+\.\d+`)

func versionIn(words []string) string {
	if i := slices.IndexFunc(words, aVersion.MatchString); i >= 0 {
		return words[i]
	}
	return strings.Join(words, " ")
}

// contained is the end of a control group in which a container runtime runs
// something.
var contained = regexp.MustCompile(`[0-9a-f]{64}(\.scope)?$`)

// processes reads lines of name, pid, control group, start, program, arguments.
// Groups of a host that is a container itself begin with that of its first process.
func (s *Seen) processes(text, prefix string) {
	for l := range strings.Lines(text) {
		w := strings.Fields(l)
		if len(w) != 6 {
			continue
		}
		p := Process{Name: w[0], Exe: w[4], Contained: contained.MatchString(w[2])}
		p.PID, _ = strconv.Atoi(w[1])
		for _, group := range strings.Split(strings.TrimPrefix(w[2], prefix), "/") {
			if unit, is := strings.CutSuffix(group, ".service"); is && !p.Contained {
				p.Unit = unit
			}
		}
		raw, err := base64.StdEncoding.DecodeString(w[5])
		if err != nil {
			continue
		}
		p.Argv = strings.Split(strings.TrimSuffix(string(raw), "\x00"), "\x00")
		s.Processes = append(s.Processes, p)
	}
}

// Manifest is the text of a component's static pod, and whether there is one.
func (s Seen) Manifest(component string) (string, bool) {
	text, there := s.Files[path.Join(s.ManifestDir, component+".yaml")]
	return text, there
}

// has says that an address is one of the host's.
func (s Seen) has(address string) bool { return slices.Contains(s.Addresses, address) }

// listens says who listens on a port, by the kernel's list.
func (s Seen) listens(port string) string {
	for l := range strings.Lines(s.Listeners) {
		w := strings.Fields(l)
		if len(w) < 4 {
			continue
		}
		if _, p, err := net.SplitHostPort(w[3]); err != nil || p != port {
			continue
		}
		if _, after, is := strings.Cut(l, `users:(("`); is {
			name, _, _ := strings.Cut(after, `"`)
			return name
		}
		return fmt.Sprintf("something on port %s", port)
	}
	return ""
}
