package cis

import (
	"context"
	_ "embed"
	"fmt"
	"strconv"
	"strings"
	"time"

	"sigs.k8s.io/yaml"

	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/layout"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/workload"
)

//go:embed look.sh
var lookText string

// lookTimeout bounds the look at one host.
const lookTimeout = 30 * time.Second

// judged are the components whose arguments count.
var judged = []model.Component{model.APIServer, model.ControllerManager, model.Scheduler, model.Etcd, model.Kubelet, model.KubeProxy}

// file is what counts of a file or folder.
type file struct {
	path, owner string // user:group
	mode        uint32
}

// seen is one host as the look found it.
type seen struct {
	at        layout.Layout
	files     []file
	args      map[model.Component]map[string]string // of what runs
	configs   map[model.Component]map[string]any
	sums      map[string]string
	providers []string
}

// look asks one host.
func look(ctx context.Context, h host.Host, at layout.Layout) (*seen, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	var names []string
	for _, c := range judged {
		names = append(names, at.Unit(c))
	}
	vars := map[string][]string{"NAMES": names, "TREES": trees(at),
		"SUMS":       {at.PKI.CA.Cert, at.PKI.EtcdCA.Cert, at.For(model.Etcd).PKI.EtcdCA.Cert},
		"ENCRYPTION": {at.PKI.Encryption}}
	for _, list := range [][]string{kubeconfigs(at), admins(at), {at.Kubelet.Config, at.Etcd.Data, at.PKI.CA.Cert}} {
		vars["FILES"] = append(vars["FILES"], list...)
	}
	for _, c := range judged {
		vars["FILES"] = append(vars["FILES"], definitions(at, c)...)
	}
	text := ""
	for name, values := range vars {
		text += fmt.Sprintf("%s='%s'\n", name, strings.Join(values, " "))
	}
	answer, err := host.Ask(ctx, h, host.Script{What: "look for the CIS benchmark", Text: text + workload.Script(at, lookText)})
	if err != nil {
		return nil, err
	}
	s, err := read(answer, at)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", h.Name(), err)
	}
	return s, nil
}

// read takes an answer apart.
func read(a host.Answer, at layout.Layout) (*seen, error) {
	s := &seen{at: at, args: map[model.Component]map[string]string{}, configs: map[model.Component]map[string]any{},
		sums: map[string]string{}, providers: strings.Fields(a.Text("providers"))}
	for line := range strings.Lines(a.Text("files")) {
		f := strings.SplitN(strings.TrimSpace(line), " ", 3)
		if len(f) != 3 {
			return nil, fmt.Errorf("cannot read %q", line)
		}
		mode, err := strconv.ParseUint(f[0], 8, 32)
		if err != nil {
			return nil, fmt.Errorf("cannot read %q: %w", line, err)
		}
		s.files = append(s.files, file{path: f[2], owner: f[1], mode: uint32(mode)})
	}
	for line := range strings.Lines(a.Text("sums")) {
		if sum, path, ok := strings.Cut(strings.TrimSpace(line), "  "); ok {
			s.sums[path] = sum
		}
	}
	for _, c := range judged {
		if argv, runs := a.Part("argv " + at.Unit(c)); runs && len(argv) > 0 {
			s.args[c] = arguments(string(argv))
		}
		text, ok := a.Part("config " + at.Unit(c))
		if !ok {
			continue
		}
		var config map[string]any
		if err := yaml.Unmarshal(text, &config); err != nil {
			return nil, fmt.Errorf("the configuration of %s: %w", c, err)
		}
		s.configs[c] = config
	}
	return s, nil
}

// arguments reads a command line as /proc has it: the values of flags by name,
// "true" for a flag without one.
func arguments(cmdline string) map[string]string {
	out := map[string]string{}
	for i, word := range strings.Split(strings.TrimRight(cmdline, "\x00"), "\x00") {
		if name, is := strings.CutPrefix(word, "--"); is && i > 0 {
			name, value, given := strings.Cut(name, "=")
			if !given {
				value = "true"
			}
			out[name] = value
		}
	}
	return out
}

// definitions are where a component is defined: its unit, or its static pod.
func definitions(at layout.Layout, c model.Component) []string {
	return []string{at.UnitPath(c), at.Kubelet.Manifests + "/" + at.Unit(c) + ".yaml"}
}

func admins(at layout.Layout) []string {
	return []string{at.PKI.ConfFile("admin"), at.PKI.ConfFile("super-admin")}
}

func kubeconfigs(at layout.Layout) []string {
	return []string{at.Scheduler.Kubeconfig, at.ControllerManager.Kubeconfig, at.Kubelet.Kubeconfig, at.KubeProxy.Kubeconfig}
}

func trees(at layout.Layout) []string {
	return []string{at.PKI.Dir, at.CNI.Conf, at.CNI.State + "/networks"}
}
