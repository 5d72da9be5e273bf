package step

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"quorate.dev/quorate/internal/artifact"
	"quorate.dev/quorate/internal/goal"
	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/plan"
	"quorate.dev/quorate/internal/topology"
	"quorate.dev/quorate/internal/workload"
)

// Packages installs what the host needs from its own distribution.
type Packages struct{ on }

// About implements plan.Step.
func (s Packages) About() plan.About {
	return plan.About{Kind: "packages", Host: s.ID, Title: "install packages", Limit: plan.DownloadLimit}
}

// Need implements plan.Step.
func (s Packages) Need(c model.Cluster) error { return s.reach(c) }

// Effect implements plan.Step.
func (s Packages) Effect(c *model.Cluster) {
	c.Edit(s.ID, func(h *model.Host) { h.Packages = model.Is(model.Set[string]{}) })
}

// Interim implements plan.Step.
func (s Packages) Interim(*model.Cluster) {}

// System makes the host's settings: kernel modules, sysctls, names, folders.
type System struct{ on }

// About implements plan.Step.
func (s System) About() plan.About {
	return plan.About{Kind: "system", Host: s.ID, Title: "apply system settings", Why: "kernel modules, sysctls, names of the cluster"}
}

// Need implements plan.Step.
func (s System) Need(c model.Cluster) error {
	if err := s.reach(c); err != nil {
		return err
	}
	if err := s.equipped(c); err != nil {
		return err
	}
	if err := s.outsideLeads(c); err != nil {
		return err
	}
	return s.nameReady(c)
}

// Effect implements plan.Step.
func (s System) Effect(c *model.Cluster) {
	c.Edit(s.ID, func(h *model.Host) {
		h.System, h.Clean = s.Want.System, model.Is(false) // the cluster's mark is there
		if h.Marked.Known() {
			marked(h)
		}
		s.renamed(h)
	})
}

// Interim implements plan.Step.
func (s System) Interim(c *model.Cluster) {
	c.Edit(s.ID, func(h *model.Host) { h.System = model.Unknown[model.Installed]("being changed") })
}

// Binaries puts the programs onto the host.
type Binaries struct {
	on
	why string
}

// About implements plan.Step.
func (s Binaries) About() plan.About {
	return plan.About{Kind: "binaries", Host: s.ID, Title: "install binaries", Why: s.why, Limit: plan.DownloadLimit}
}

// Need implements plan.Step.
func (s Binaries) Need(c model.Cluster) error {
	if err := s.reach(c); err != nil {
		return err
	}
	if h := c.Hosts[s.ID]; !model.Same(h.System, s.Want.System) && !s.repoints(c, &h) {
		return errors.New("its system settings are not applied yet")
	}
	return nil
}

// Effect implements plan.Step.
func (s Binaries) Effect(c *model.Cluster) {
	c.Edit(s.ID, func(h *model.Host) { h.Binaries = s.Want.Binaries })
}

// Interim implements plan.Step.
func (s Binaries) Interim(c *model.Cluster) {
	c.Edit(s.ID, func(h *model.Host) { h.Binaries = model.Unknown[string]("being installed") })
}

// Images imports the container images that a node needs into its runtime.
type Images struct {
	on
	unknown string // why it is not known which are there; "": it is
}

// About implements plan.Step.
func (s Images) About() plan.About {
	why := s.Want.Images.Or(model.Set[string]{}).String()
	if s.unknown != "" {
		why += "; which are there is not known: " + s.unknown
	}
	return plan.About{Kind: "images", Host: s.ID, Title: "import images", Why: why}
}

// Need implements plan.Step.
func (s Images) Need(c model.Cluster) error {
	if err := s.prepared(c); err != nil {
		return err
	}
	if h := c.Hosts[s.ID]; !h.Runs(model.Containerd) {
		return errors.New("containerd is not running there yet")
	}
	return s.afterAPI(c)
}

// Effect implements plan.Step.
func (s Images) Effect(c *model.Cluster) {
	c.Edit(s.ID, func(h *model.Host) { h.Images = s.Want.Images })
}

// Interim implements plan.Step.
func (s Images) Interim(*model.Cluster) {}

// Do implements Action.
func (s Packages) Do(ctx context.Context, e Env) error {
	lacks := e.Have.Hosts[s.ID].Packages.Or(model.Set[string]{})
	var debian, redhat []string
	for _, n := range e.Goal.NeedsOf(s.ID) {
		if lacks.Has(n.Command) {
			debian, redhat = append(debian, n.Debian), append(redhat, n.RedHat)
		}
	}
	const script = `if command -v apt-get >/dev/null; then
	apt-get install -q -y --no-install-recommends $1 || { apt-get update -q && apt-get install -q -y --no-install-recommends $1; }
elif command -v dnf >/dev/null; then dnf install -y $2
else echo "neither apt-get nor dnf is there; install by hand: $1" >&2; exit 1; fi
for u in nginx haproxy keepalived; do # units of quorate's own run them
	case " $1 " in *" $u "* | *" $u-light "*) systemctl disable --now $u 2>/dev/null || true ;; esac
done
for c in $3; do
	case $c in $4) [ -e "$c" ] || [ -e "$5" ] ;; /*) [ -e "$c" ] ;; *) command -v "$c" >/dev/null ;; esac || { echo "$c is not there although its package is; install it by hand" >&2; exit 1; }
done`
	_, err := sh(ctx, e, "packages", "export DEBIAN_FRONTEND=noninteractive\n"+script, strings.Join(debian, " "),
		strings.Join(redhat, " "), strings.Join(lacks.List(), " "),
		e.Goal.Layout.FrontDoor.Stream, e.Goal.Layout.FrontDoor.Stream64)
	return err
}

// Do implements Action.
func (s System) Do(ctx context.Context, e Env) error {
	h, err := s.goal(e)
	if err != nil {
		return err
	}
	carried, err := s.carried(ctx, e, h)
	if err != nil {
		return err
	}
	old, err := e.Host.ReadFile(ctx, goal.HostsPath)
	if err != nil {
		return err
	}
	files := append(slices.Clone(h.System.Files), host.File{Path: goal.HostsPath,
		Content: []byte(topology.MergeHosts(string(old), h.System.HostsBlock)), Mode: 0o644})
	if h.Found { // others have made all other settings
		return write(ctx, e, append(files, s.marks(e)...))
	}
	if err := write(ctx, e, append(files, carried...)); err != nil {
		return err
	}
	if err := s.restartProxy(ctx, e, string(old), h.System.HostsBlock); err != nil {
		return err
	}
	for _, f := range carried {
		e.Say("%s: brought %s, which the cluster's configuration shows to its control plane", s.ID, f.Path)
	}
	// A module that is built in, or loaded by the machine around a container,
	// cannot be loaded here: what counts is whether its settings are there.
	_, err = sh(ctx, e, "", `for m in $1; do modprobe -q "$m" 2>/dev/null || true; done; sysctl -q -p "$2"`,
		strings.Join(h.System.Modules, " "), e.Goal.Layout.Own.Sysctls)
	return err
}

// progress makes uploads tell how far the step is, of which done bytes are sent.
func (e Env) progress(ctx context.Context, done, total int64) context.Context {
	if e.Progress == nil {
		return ctx
	}
	return host.WithProgress(ctx, func(n int64) { e.Progress(done+n, total) })
}

// placeScript says of files, named as in a store, where they lie with the digest
// that their folder is named by. A changed one is kept elsewhere for who wants to
// know how; its successor takes its place at once.
const placeScript = `for p; do
	wants=${p#sha256/}; wants=${wants%%/*}
	for d in $AT_SEED $AT_STORE; do
		[ -s "$d/$p" ] || continue
		is=$(digests "$d/$p")
		if [ "${is%% *}" = "$wants" ]; then echo "there $p $d"; break; fi
		[ "$d" = $AT_STORE ] || continue
		k=$AT_KEPT/$(date -u +%Y%m%dT%H%M%SZ)$d/$p
		(umask 077 && mkdir -p "${k%/*}") && cp -p "$d/$p" "$k" && chmod 600 "$k" && echo "changed $p $k"
	done
done`

// place returns where an artefact lies on the host, by its digest: brought by
// quorate, or found there already (a bundle on the disk, a lab's shared folder).
func place(ctx context.Context, e Env, files []artifact.File) (map[string]string, error) {
	own := e.Goal.Layout.Own
	args := make([]string, len(files))
	for i, f := range files {
		args[i] = path.Join("sha256", f.SHA256, f.Name)
	}
	out, err := sh(ctx, e, "", e.Goal.Layout.Script(workload.DigestScript+placeScript), args...)
	if err != nil {
		return nil, err
	}
	at := map[string]string{}
	for _, l := range strings.Split(out, "\n") {
		if w := strings.Fields(l); len(w) == 3 && w[0] == "there" {
			at[w[1]] = path.Join(w[2], w[1])
		} else if len(w) == 3 && w[0] == "changed" {
			e.Say("%s: %s had changed on its disk and is replaced; a service that began with it goes on with it until it is restarted",
				e.Host.Name(), path.Base(w[1]))
			e.Keep(path.Join(own.Store, w[1]), w[2])
		}
	}
	if i := slices.IndexFunc(files, func(f artifact.File) bool { return f.SHA256 == "" }); i >= 0 {
		return nil, fmt.Errorf("%s: %s is needed now and was not when the run began; next: quorate artifacts build, then apply again",
			e.Host.Name(), files[i].Name)
	}
	where := map[string]string{}
	var done, total int64
	for i, f := range files {
		if _, there := at[args[i]]; !there {
			total += f.Size
		}
	}
	for i, f := range files {
		p, there := at[args[i]]
		if !there {
			p = path.Join(own.Store, args[i])
			if _, err := e.Host.Upload(e.progress(ctx, done, total), f.Blob, p); err != nil {
				return nil, fmt.Errorf("send %s: %w", f.Name, err)
			}
			done += f.Size
		}
		where[f.Name] = p
	}
	return where, nil
}

// Do implements Action.
func (s Binaries) Do(ctx context.Context, e Env) error {
	h, err := s.goal(e)
	if err != nil {
		return err
	}
	var files []artifact.File
	paths := slices.Sorted(maps.Keys(h.Programs))
	for _, at := range paths {
		files = append(files, h.Programs[at])
	}
	where, err := place(ctx, e, files)
	if err != nil {
		return err
	}
	var args []string
	for _, at := range paths {
		name := h.Programs[at].Name
		version := e.Goal.VersionLink(name)
		args = append(args, version, where[name], at, version)
	}
	_, err = sh(ctx, e, "", linkScript, args...)
	return err
}

// linkScript makes links, LINK TO ...: each is renamed over the old one, so that
// at no moment is there no program. One that is right stays.
const linkScript = `while [ $# -gt 0 ]; do
	if [ ! -L "$1" ] || [ "$(readlink "$1")" != "$2" ]; then
		[ -d "${1%/*}" ] || mkdir -p "${1%/*}"
		ln -sfn "$2" "$1.new"
		mv -fT "$1.new" "$1"
	fi
	shift 2
done`

// Do implements Action.
func (s Images) Do(ctx context.Context, e Env) error {
	f := e.Goal.Artifacts.Images
	where, err := place(ctx, e, []artifact.File{f})
	if err != nil {
		return err
	}
	_, err = sh(ctx, e, "images", `"$1" -n k8s.io images import --local "$2" >/dev/null`, e.Goal.Layout.Program("ctr"), where[f.Name])
	return err
}
