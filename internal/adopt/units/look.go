// Package units reads a control plane that people have set up by hand as systemd
// units: which units its programs run in, under whatever names and paths, with
// which flags, certificates, kubeconfigs and load balancers, and what of it
// stands in the way of changes. It is strictly read-only. It writes no cluster
// file, plans nothing and changes nothing.
package units

import (
	"context"
	_ "embed"
	"encoding/base64"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/knobs"
)

//go:embed units.sh
var unitsScript string

//go:embed files.sh
var filesScript string

// lookTimeout bounds one question to a host.
const lookTimeout = 30 * time.Second

// Host is what was seen on one host. Problem says why nothing was.
type Host struct {
	Name      string        `json:"name"`
	Address   string        `json:"address"`
	Problem   string        `json:"problem,omitempty"`
	Services  []Service     `json:"services"`
	Certs     []Certificate `json:"certificates"`
	Confs     []Kubeconfig  `json:"kubeconfigs"`
	Balancers []Balancer    `json:"loadBalancers"`
	Keys      []Key         `json:"privateKeys"`
	addresses []string
	now       time.Time
}

// Service is a unit in which one of the cluster's programs runs.
type Service struct {
	Component string `json:"component"` // the program's name
	Unit      string `json:"unit"`
	Program   string `json:"program"`
	Active    string `json:"active"`  // as systemd says it
	Enabled   string `json:"enabled"` // at boot
	// Files are its unit file, its drop-ins and its environment files.
	Files []string `json:"files"`
	Flags []Flag   `json:"flags"`
	// Changed says that the process runs with other flags than its files say.
	Changed bool `json:"changedSinceStart,omitempty"`
	// Problem says why its files are not understood.
	Problem string `json:"problem,omitempty"`
	flags   knobs.Flags
}

// Flag is one flag of a service.
type Flag struct {
	Name   string   `json:"name"`
	Values []string `json:"values"`
}

// Key is a file with a private key. Its content is never told.
type Key struct {
	Path   string `json:"path"`
	Mode   string `json:"mode"`
	Owner  string `json:"owner"`
	digest string
}

// Balancer is the configuration of an nginx or HAProxy.
type Balancer struct {
	Path    string   `json:"path"`
	Kind    string   `json:"kind"`
	Unit    string   `json:"unit"`
	Pools   []Pool   `json:"pools"`
	Notes   []string `json:"notes,omitempty"`
	Problem string   `json:"problem,omitempty"`
}

// Pool is a group of its servers.
type Pool struct {
	Name    string   `json:"name"`
	Servers []string `json:"servers"`
	Down    []string `json:"down,omitempty"`
}

// Kubeconfig is one that a component or a person uses.
type Kubeconfig struct {
	Path    string `json:"path"`
	Server  string `json:"server,omitempty"`
	Problem string `json:"problem,omitempty"`
}

// Service is the one of a component, and whether there is one.
func (h Host) Service(component string) (Service, bool) {
	i := slices.IndexFunc(h.Services, func(s Service) bool { return s.Component == component })
	if i < 0 {
		return Service{}, false
	}
	return h.Services[i], true
}

// flag is the value of a component's flag; "" when it has none.
func (h Host) flag(component, name string) string {
	s, _ := h.Service(component)
	return s.flags.One(name)
}

// Look looks at one host. What cannot be seen is in the answer.
func Look(ctx context.Context, h host.Host) Host {
	ask := func(what, text string) (host.Answer, error) {
		ctx, cancel := context.WithTimeout(ctx, lookTimeout)
		defer cancel()
		return host.Ask(ctx, h, host.Script{What: what, Text: text, Secret: true})
	}
	out := Host{Name: h.Name(), Services: []Service{}, Certs: []Certificate{}, Confs: []Kubeconfig{}, Balancers: []Balancer{}, Keys: []Key{}}
	a, err := ask("look at the units", unitsScript)
	if err != nil {
		out.Problem = host.Reason(err, h.Name())
		return out
	}
	out.readUnits(a)
	want := out.wanted(strings.Fields(a.Text("homes")))
	if a, err = ask("look at the files", want.assignments()+filesScript); err != nil {
		out.Problem = host.Reason(err, h.Name())
		return out
	}
	out.readFiles(a)
	return out
}

var inet = regexp.MustCompile(` inet6? ([^ /]+)`)

// readUnits reads the answer of units.sh.
func (h *Host) readUnits(a host.Answer) {
	h.Name = a.Text("hostname")
	for _, m := range inet.FindAllStringSubmatch(a.Text("address"), -1) {
		h.addresses = append(h.addresses, m[1])
	}
	if sec, err := strconv.ParseInt(a.Text("now"), 10, 64); err == nil {
		h.now = time.Unix(sec, 0)
	}
	for l := range strings.Lines(a.Text("running")) {
		w := strings.Fields(l)
		if len(w) < 4 {
			continue
		}
		var argv []string
		if len(w) > 4 {
			raw, _ := base64.StdEncoding.DecodeString(w[4])
			argv = strings.Split(strings.TrimSuffix(string(raw), "\x00"), "\x00")
		}
		h.Services = append(h.Services, service(a, w[0], w[2], w[3], argv))
	}
	slices.SortFunc(h.Services, func(a, b Service) int { return strings.Compare(a.Component+a.Unit, b.Component+b.Unit) })
}

// service reads the files of a unit.
func service(a host.Answer, component, unit, program string, argv []string) Service {
	s := Service{Component: component, Unit: strings.TrimSuffix(unit, ".service"), Program: program, Files: []string{}, Flags: []Flag{}}
	var files, env []knobs.File
	for l := range strings.Lines(a.Text("unit " + unit)) {
		key, value, _ := strings.Cut(strings.TrimSpace(l), "=")
		switch key {
		case "ActiveState":
			s.Active = value
		case "UnitFileState":
			s.Enabled = value
		case "FragmentPath", "DropInPaths", "EnvironmentFiles":
			for _, p := range strings.Fields(value) {
				body, there := a.Part("file " + p)
				if !path.IsAbs(p) || !there {
					continue
				}
				if f := (knobs.File{Path: p, Text: string(body)}); key == "EnvironmentFiles" {
					env = append(env, f)
				} else {
					files = append(files, f)
				}
			}
		}
	}
	for _, f := range slices.Concat(files, env) {
		s.Files = append(s.Files, f.Path)
	}
	u, err := knobs.ReadUnitEnv(environmentFlags[component], files, env...)
	if err != nil {
		s.Problem = err.Error()
		return s
	}
	s.take(u.Flags())
	if len(argv) > 0 && path.Base(argv[0]) == path.Base(u.Program()) { // nginx writes its title over its arguments
		s.Changed = !knobs.ReadArguments(argv[1:]).Equal(knobs.ReadArguments(u.Words()))
	}
	return s
}

// environmentFlags are the prefixes of programs that take flags from their
// environment.
var environmentFlags = map[string]string{"etcd": "ETCD_"}

// secretFlag has a value that is a secret by itself.
var secretFlag = regexp.MustCompile(`password$|^(bootstrap-)?token$`)

func (s *Service) take(flags knobs.Flags) {
	s.flags = flags
	for _, name := range flags.Names() {
		values := flags.Get(name)
		if secretFlag.MatchString(name) {
			values = []string{"(not shown)"}
		}
		s.Flags = append(s.Flags, Flag{name, values})
	}
}

// files are what is still to be read on a host.
type files struct{ certs, confs, balancers, keys []string }

// plainPath is a path that goes into a script as it is.
var plainPath = regexp.MustCompile(`^(/[A-Za-z0-9_.@:+-]+)+$`)

// wanted are the files that the flags of the services name.
func (h Host) wanted(homes []string) files {
	f := files{confs: slices.Clone(homes)}
	for _, s := range h.Services {
		for _, flag := range s.flags {
			p := flag.Value
			name := strings.ReplaceAll(flag.Name, "_", "-")
			if strings.HasSuffix(name, "kubeconfig") {
				f.confs = append(f.confs, p)
			}
			if keyFlag.MatchString(name) {
				f.keys = append(f.keys, p)
			}
			if certFlag.MatchString(name) { // cfssl puts the key of a CA beside it
				f.certs = append(f.certs, p)
				f.keys = append(f.keys, strings.TrimSuffix(p, path.Ext(p))+"-key"+path.Ext(p))
			}
		}
		if config := s.config(); config != "" {
			f.balancers = append(f.balancers, config)
		}
	}
	for _, list := range []*[]string{&f.certs, &f.confs, &f.balancers, &f.keys} {
		slices.Sort(*list)
		*list = slices.DeleteFunc(slices.Compact(*list), func(p string) bool { return !plainPath.MatchString(p) })
	}
	return f
}

var (
	certFlag = regexp.MustCompile(`(^|-)(ca-?file|cert-?file|client-certificate|certificate-authority)$|^service-account-key-file$`)
	keyFlag  = regexp.MustCompile(`(^|-)(key-?file|client-key)$`)
)

// config is where a balancer has its configuration.
func (s Service) config() string {
	switch s.Component {
	case "nginx":
		config := s.flags.One("c")
		if prefix := s.flags.One("p"); config != "" && !path.IsAbs(config) && prefix != "" {
			config = path.Join(prefix, config)
		}
		return config
	case "haproxy":
		return s.flags.One("f")
	}
	return ""
}

func (f files) assignments() string {
	return fmt.Sprintf("CERTS='%s'\nCONFS='%s'\nBALANCERS='%s'\nKEYS='%s'\n", strings.Join(f.certs, " "), strings.Join(f.confs, " "),
		strings.Join(f.balancers, " "), strings.Join(f.keys, " "))
}
