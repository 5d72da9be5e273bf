package cli

import (
	"context"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"quorate.dev/quorate/internal/artifact"
	"quorate.dev/quorate/internal/engine"
	"quorate.dev/quorate/internal/goal"
	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/kubeapi"
	"quorate.dev/quorate/internal/localfile"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/observe"
	"quorate.dev/quorate/internal/spec"
)

// target is which cluster a command is about, and how its hosts are reached.
type target struct {
	file      string
	sum       string // SHA-256 of the file that was read, in hex
	acceptNew bool
	paces     map[string]*host.Pace // by jump host
}

func (t *target) flags(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&t.file, "file", "f", "cluster.yaml", "the cluster file; - is stdin")
	cmd.Flags().BoolVar(&t.acceptNew, "accept-new", false, "ask about unknown SSH host keys and record those you accept; with --yes, "+
		"record them without asking")
}

// session is a cluster file with everything that working on it takes.
type session struct {
	file   *spec.Cluster
	origin origin
	arts   goal.Artifacts
	hosts  map[model.HostID]host.Host
	engine *engine.Engine
	errOut io.Writer
}

// close ends the connections and says what was found on the way.
func (s *session) close() {
	for _, id := range slices.Sorted(maps.Keys(s.hosts)) {
		if noise, found := host.Noise(s.hosts[id]); found {
			fmt.Fprintln(s.errOut, "warning:", noise)
		}
		_ = s.hosts[id].Close() // nothing is written at the end
	}
}

// getting is how a session comes by its artefacts.
type getting func(context.Context, *cobra.Command, *target, *spec.Cluster) (goal.Artifacts, error)

// open reads the file, has its artefacts ready and prepares the connections.
func (t *target) open(ctx context.Context, cmd *cobra.Command) (*session, error) {
	return t.openWith(ctx, cmd, artifacts)
}

// openWith is open for those who need fewer artefacts than all.
func (t *target) openWith(ctx context.Context, cmd *cobra.Command, get getting) (*session, error) {
	file, warnings, err := t.read(ctx, cmd)
	if err != nil {
		return nil, err
	}
	warn(cmd, warnings)
	s := &session{file: file, origin: originOf(t), hosts: map[model.HostID]host.Host{}, errOut: cmd.ErrOrStderr()}
	if s.arts, err = get(ctx, cmd, t, file); err != nil {
		return nil, err
	}
	for _, h := range file.Spec.Hosts {
		s.hosts[model.HostID(h.Name)] = host.New(t.config(cmd, file, h))
	}
	s.engine = engine.New(file, s.arts, s.hosts)
	s.engine.Await(func(late []model.HostID, most time.Duration) {
		fmt.Fprintf(s.errOut, "no answer within %s from %s; each is given up after %s\n", observe.SayAfter, names(late), most)
	})
	s.engine.Meet(func(d kubeapi.Departed) host.Host {
		return host.New(t.config(cmd, file, spec.Host{Name: d.Name, Address: d.Address}))
	})
	return s, nil
}

func (t *target) config(cmd *cobra.Command, file *spec.Cluster, h spec.Host) host.Config {
	ssh := file.HostSSH(h)
	c := host.Config{Name: h.Name, Address: h.Address, Port: ssh.Port, User: ssh.User, KeyFile: ssh.KeyFile, PasswordFile: ssh.PasswordFile,
		KnownHostsFile: ssh.KnownHostsFile, Jump: ssh.Jump, JumpPasswordFile: ssh.JumpPasswordFile, SudoPasswordFile: ssh.SudoPasswordFile}
	if t.paces == nil {
		t.paces = map[string]*host.Pace{}
	}
	if t.paces[c.Jump] == nil {
		t.paces[c.Jump] = &host.Pace{}
	}
	c.Pace = t.paces[c.Jump]
	if t.acceptNew {
		c.Confirm = func(name, fingerprint string) (bool, error) {
			if yes := cmd.Flags().Lookup("yes"); yes != nil && yes.Value.String() == "true" {
				fmt.Fprintf(cmd.ErrOrStderr(), "recording the new host key of %s: %s\n", name, fingerprint)
				return true, nil
			}
			return ask(cmd, fmt.Sprintf("%s presents the unknown host key %s. Accept it?", name, fingerprint))
		}
	}
	return c
}

// maxManifest is the size of the largest manifest of a pod network, in bytes;
// those of the known ones are a tenth of it.
const maxManifest = 4 << 20

// artifacts brings what the file's versions need into the store.
func artifacts(ctx context.Context, cmd *cobra.Command, t *target, file *spec.Cluster) (goal.Artifacts, error) {
	return fetch(ctx, cmd, t, file)
}

// noArtifacts is for commands that look but do not plan.
func noArtifacts(_ context.Context, _ *cobra.Command, _ *target, file *spec.Cluster) (goal.Artifacts, error) {
	v, err := artifact.Resolve(file.Spec.Kubernetes.Version, file.Spec.Artifacts.Versions)
	if err != nil {
		return goal.Artifacts{}, usageError{err}
	}
	password, err := vrrpPassword(file)
	return goal.Artifacts{Versions: v, VRRPPassword: password}, err
}

// vrrpPassword is what the file of spec.loadBalancer.vip.passwordFile holds.
func vrrpPassword(file *spec.Cluster) (string, error) {
	vip := file.Spec.LoadBalancer.VIP
	if vip == nil || vip.PasswordFile == "" {
		return "", nil
	}
	secret, err := localfile.ReadSecret(vip.PasswordFile)
	text := strings.TrimSpace(string(secret))
	if err == nil {
		err = spec.CheckVRRPPassword(text)
	}
	if err != nil {
		return "", usageError{fmt.Errorf("spec.loadBalancer.vip.passwordFile: %w", err)}
	}
	return text, nil
}

// named are the artefacts by name and version, which is all that a plan takes:
// nothing is built, downloaded or looked for.
func named(ctx context.Context, cmd *cobra.Command, t *target, file *spec.Cluster) (goal.Artifacts, error) {
	return identified(ctx, cmd, t, file, func(err error) error { return err })
}

// told are those of status. It tells what works also where quorate-lb is not
// beside quorate, and says that it could not compare that.
func told(ctx context.Context, cmd *cobra.Command, t *target, file *spec.Cluster) (goal.Artifacts, error) {
	return identified(ctx, cmd, t, file, func(err error) error {
		fmt.Fprintf(cmd.ErrOrStderr(), "note: a change to %s below may be none: %v\n", artifact.Balancer, err)
		return nil
	})
}

// identified asks without about a quorate-lb that cannot be had.
func identified(ctx context.Context, cmd *cobra.Command, t *target, file *spec.Cluster, without func(error) error) (goal.Artifacts, error) {
	a, err := noArtifacts(ctx, cmd, t, file)
	if err != nil {
		return a, err
	}
	for _, name := range artifact.Flavour(file.Spec.Kubernetes.Flavour, false).Programs {
		a.Programs = append(a.Programs, artifact.File{Name: name})
	}
	if file.Spec.LoadBalancer.Kind == spec.BuiltinBalancer {
		store, err := artifact.OpenStore("")
		if err != nil {
			return a, err
		}
		lb, unbuilt, err := artifact.OwnName(store, artifact.Balancer)
		if err != nil {
			lb, err = artifact.File{Name: artifact.Balancer}, without(err)
		}
		if err != nil {
			return a, err
		}
		a.Programs = append(a.Programs, lb)
		sayUnbuilt(cmd, lb, unbuilt)
	}
	return a, ownFiles(file, &a)
}

// sayUnbuilt says that apply would build a program of quorate's own first, and
// what a plan without it goes by.
func sayUnbuilt(cmd *cobra.Command, f artifact.File, tree string) {
	by := "this plan assumes the one built last"
	if f.SHA256 == "" {
		by = "this plan assumes that it is new"
	}
	if tree != "" {
		fmt.Fprintf(cmd.ErrOrStderr(), "note: %s is not beside quorate; apply first builds it from %s; %s\n", f.Name, tree, by)
	}
}

// balancer adds quorate-lb when the file wants it. It comes with quorate; its
// digest is a part of the plan.
func balancer(ctx context.Context, file *spec.Cluster, a *goal.Artifacts, progress func(artifact.Event)) error {
	if file.Spec.LoadBalancer.Kind != spec.BuiltinBalancer {
		return nil
	}
	store, err := artifact.OpenStore("")
	if err != nil {
		return err
	}
	f, err := artifact.Own(ctx, store, artifact.Balancer, progress)
	a.Programs = append(a.Programs, f)
	return err
}

// manifest is the user's own pod network, if any.
func manifest(file *spec.Cluster) ([]byte, error) {
	cni := file.Spec.Network.CNI
	if cni == spec.CNIBridge || cni == spec.CNINone {
		return nil, nil
	}
	text, err := localfile.Read(cni, maxManifest)
	if err != nil {
		return nil, usageError{fmt.Errorf("spec.network.cni: %w", err)}
	}
	return text, nil
}

// sourceOf is where a file's artefacts come from.
func (t *target) sourceOf(file *spec.Cluster, kind string, store *artifact.Store) (artifact.Source, error) {
	of := file.Spec.Artifacts
	beside := ""
	if t.file != "-" && t.file != "" {
		beside = filepath.Dir(t.file)
	}
	src, err := artifact.NewSource(kind, store, artifact.Trust{BaseURLs: of.BaseURLs, Checksums: of.Checksums}, beside)
	if err != nil {
		return nil, usageError{err}
	}
	return src, nil
}

func fetch(ctx context.Context, cmd *cobra.Command, t *target, file *spec.Cluster) (goal.Artifacts, error) {
	a := goal.Artifacts{}
	var err error
	if a.VRRPPassword, err = vrrpPassword(file); err != nil {
		return a, err
	}
	store, err := artifact.OpenStore("")
	if err != nil {
		return a, err
	}
	of := file.Spec.Artifacts
	if a.Versions, err = artifact.Resolve(file.Spec.Kubernetes.Version, of.Versions); err != nil {
		return a, usageError{err}
	}
	src, err := t.sourceOf(file, of.Source, store)
	if err != nil {
		return a, err
	}
	flavour := artifact.Flavour(file.Spec.Kubernetes.Flavour, file.Spec.Addons.MetricsServer)
	view := artifactProgress(cmd.ErrOrStderr(), a.Versions, artifact.Parts(flavour.Programs, flavour.Set))
	defer view.close()
	progress := view.on
	if a.Programs, err = src.Fetch(ctx, a.Versions, goal.Arch, flavour.Programs, progress); err != nil {
		return a, err
	}
	if err := balancer(ctx, file, &a, progress); err != nil {
		return a, err
	}
	if a.Images, err = src.Images(ctx, a.Versions, goal.Arch, flavour.Set, flavour.Images, progress); err != nil {
		return a, err
	}
	return a, ownFiles(file, &a)
}

// ownFiles are the user's own files that the cluster file names.
func ownFiles(file *spec.Cluster, a *goal.Artifacts) (err error) {
	if a.Manifest, err = manifest(file); err != nil {
		return err
	}
	if a.Patches, err = spec.LoadPatches(file.Spec.PatchesFolder); err != nil {
		return usageError{err}
	}
	return nil
}

// ask puts a question to which y and yes agree, and everything else declines.
func ask(cmd *cobra.Command, question string) (bool, error) {
	line, err := answer(cmd, question+" [y/N] ")
	return slices.Contains([]string{"y", "yes"}, strings.ToLower(line)), err
}

// answer reads one line; an interruption ends the waiting for it.
func answer(cmd *cobra.Command, prompt string) (string, error) {
	fmt.Fprint(cmd.ErrOrStderr(), prompt)
	type read struct {
		line string
		err  error
	}
	got := make(chan read, 1)
	go func() {
		line, err := readLine(cmd.InOrStdin())
		got <- read{line, err}
	}()
	select {
	case r := <-got:
		if r.err != nil && r.line == "" {
			return "", fmt.Errorf("%w: no answer (%w); pass --yes to skip the question", errRefused, r.err)
		}
		return strings.TrimSpace(r.line), nil
	case <-cmd.Context().Done():
		return "", cmd.Context().Err()
	}
}

// readLine reads one line and nothing beyond it: what follows may answer the
// next question.
func readLine(in io.Reader) (string, error) {
	var line []byte
	for b := make([]byte, 1); len(line) < 1024; {
		n, err := in.Read(b)
		if n > 0 && b[0] == '\n' {
			break
		}
		line = append(line, b[:n]...)
		if err != nil {
			return string(line), err
		}
	}
	return string(line), nil
}
