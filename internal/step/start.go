package step

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"quorate.dev/quorate/internal/goal"
	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/workload"
)

// stageDir is where files are checked before they take effect.
const stageDir = "/run/quorate/stage"

// Do implements Action: the files are checked where they do no harm, then put
// in place, and each service is started, restarted or reloaded as its change
// demands. Nothing is waited for.
func (s Run) Do(ctx context.Context, e Env) error {
	h, err := s.goal(e)
	if err != nil {
		return err
	}
	var services []*workload.Service
	for _, v := range s.Set {
		if h.Services[v] == nil {
			return fmt.Errorf("%s runs no %s by the file", s.ID, v)
		}
		services = append(services, h.Services[v])
	}
	if err := s.verify(ctx, e, services); err != nil {
		return err
	}
	files, err := s.once(ctx, e, h)
	if err != nil {
		return err
	}
	for _, svc := range services {
		files = append(files, svc.Rendered()...)
	}
	if err := write(ctx, e, files); err != nil {
		return err
	}
	if err := s.undrop(ctx, e); err != nil {
		return err
	}
	var script strings.Builder
	script.WriteString("systemctl daemon-reload\n")
	for i, v := range s.Set {
		name := v.String() + ".service"
		fmt.Fprintf(&script, "systemctl unmask -q %[1]s; systemctl enable -q %[1]s\n", name)
		u := e.Have.Hosts[s.ID].Components[v]
		switch {
		case model.Same(u.Running, s.Want.Components[v].Running):
		case services[i].Reload && u.Running.Not(""):
			fmt.Fprintf(&script, "systemctl reload %[1]s\n", name)
		default:
			fmt.Fprintf(&script, "systemctl reset-failed -q %[1]s 2>/dev/null || true; systemctl restart --no-block %[1]s\n", name)
		}
	}
	_, err = sh(ctx, e, "", script.String())
	return err
}

// undrop sets aside the drop-ins that give a service another command, when it
// does not live with them. Others stay: a proxy's address or a limit is the
// user's to set, and so is a command with which the service runs.
func (s Run) undrop(ctx context.Context, e Env) error {
	for _, v := range s.Set {
		if !e.CrashLooping(v) {
			continue
		}
		said, err := sh(ctx, e, "", `k=`+KeptDir+`/$(date -u +%Y%m%dT%H%M%SZ)
for f in /etc/systemd/system/"$1".d/*.conf /run/systemd/system/"$1".d/*.conf; do
	[ -f "$f" ] && grep -q '^[[:space:]]*Exec' "$f" || continue
	mkdir -p -m 700 `+KeptDir+`; mkdir -p "$k${f%/*}"; mv "$f" "$k$f"; echo "$f"; echo "$k$f"
	rmdir "${f%/*}" 2>/dev/null || true
done`, v.String()+".service")
		if err != nil {
			return err
		}
		lines := strings.Split(said, "\n")
		for i := 0; i+1 < len(lines); i += 2 {
			e.Say("%s: %s does not run with the drop-in %s", s.ID, v, lines[i])
			e.Keep(lines[i], lines[i+1])
		}
	}
	return nil
}

// verify lets the real programs judge the files in a folder of their own.
func (s Run) verify(ctx context.Context, e Env, services []*workload.Service) error {
	var staged []host.File
	var checks [][]string
	dir := path.Join(stageDir, services[0].Name)
	for _, svc := range services {
		for _, f := range svc.Rendered() {
			f.Path = dir + f.Path
			staged = append(staged, f)
		}
		checks = append(checks, svc.Verify...)
	}
	if len(checks) == 0 {
		return nil
	}
	if _, err := sh(ctx, e, "", `rm -rf "$1"`, dir); err != nil {
		return err
	}
	if _, err := e.Host.WriteFiles(ctx, staged); err != nil {
		return err
	}
	for _, argv := range join(checks) {
		for i := range argv {
			argv[i] = strings.ReplaceAll(argv[i], "{}", dir)
		}
		if _, err := e.Host.Run(ctx, host.Cmd{Args: argv}); err != nil {
			return fmt.Errorf("the rendered files do not pass their check, so that nothing was changed: %w", err)
		}
	}
	_, err := sh(ctx, e, "", `rm -rf "$1"`, dir)
	return err
}

// join makes one call of the checks of many units: the program takes longer to
// start than to judge.
func join(checks [][]string) [][]string {
	var out [][]string
	for _, c := range checks {
		i := slices.IndexFunc(out, func(o []string) bool {
			return len(o) > 2 && len(c) > 2 && slices.Equal(o[:2], c[:2]) && strings.HasSuffix(o[0], "systemd-analyze")
		})
		if i >= 0 {
			out[i] = append(out[i], c[2:]...)
		} else {
			out = append(out, slices.Clone(c))
		}
	}
	return out
}

// once are the files that a service needs at its first start only.
func (s Run) once(ctx context.Context, e Env, h *goal.Host) ([]host.File, error) {
	var out []host.File
	for _, v := range s.Set {
		if table[v].once == nil {
			continue
		}
		files, err := table[v].once(s, ctx, e, h)
		if err != nil {
			return nil, err
		}
		out = append(out, files...)
	}
	return out, nil
}

// Diagnose collects what the host itself says of services that do not come up:
// the last lines of their logs, but for stack traces, which hide what went wrong.
func (s Run) Diagnose(ctx context.Context, e Env) string {
	var b strings.Builder
	for _, v := range s.Set {
		out, err := sh(ctx, e, "", `systemctl is-active "$1" || true; systemctl show -p DropInPaths "$1" | grep . || true; journalctl -q -u "$1" -n 300 --no-pager -o cat 2>/dev/null |
	grep -vE '^[[:space:]]|^goroutine |^created by |^[[:alnum:]_./*()-]+\([^ ]*(, [^ ]*)*\)$|"level":"info"|^$' | tail -n 12 | cut -c1-500 || true`, v.String())
		if err == nil {
			fmt.Fprintf(&b, "%s on %s: %s\n", v, s.ID, out)
		}
	}
	return b.String()
}
