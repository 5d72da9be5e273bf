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
	// What reloads is checked with the copies that it reads; none is of a file that
	// this step writes.
	reload, restart := split(services)
	if err := workload.MakeCopies(ctx, e.Host, reload); err != nil {
		return err
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
	have := e.Have.Hosts[s.ID]
	if err := stopServices(ctx, e, s.halted(&have)); err != nil {
		return fmt.Errorf("stop what must not run meanwhile: %w", err)
	}
	if err := write(ctx, e, files); err != nil {
		return err
	}
	if err := workload.MakeCopies(ctx, e.Host, restart); err != nil {
		return err
	}
	if err := s.make(ctx, e, h, services); err != nil {
		return err
	}
	if err := s.setOverridesAside(ctx, e, services); err != nil {
		return err
	}
	var jobs []workload.Job
	for i, v := range s.Set {
		running := have.Components[v].Running
		change := services[i].After(running.Not(""), model.Same(running, s.Want.Components[v].Running))
		if turns(&have, s.Want, v) {
			change = workload.Restart
		}
		jobs = append(jobs, workload.Job{Service: *services[i], Change: change})
	}
	if err := s.shareAddresses(ctx, e, have); err != nil {
		return err
	}
	return workload.Apply(ctx, e.Host, jobs)
}

// split is services by whether they read their files again.
func split(services []*workload.Service) (reload, restart []*workload.Service) {
	for _, svc := range services {
		if svc.Reload {
			reload = append(reload, svc)
		} else {
			restart = append(restart, svc)
		}
	}
	return reload, restart
}

// setOverridesAside does so for services that do not live with what others have
// laid over them; a command with which a service runs is the user's to set.
func (s Run) setOverridesAside(ctx context.Context, e Env, services []*workload.Service) error {
	for i, v := range s.Set {
		if !e.CrashLooping(v) {
			continue
		}
		moved, err := workload.SetOverridesAside(ctx, e.Host, *services[i])
		if err != nil {
			return err
		}
		for _, m := range moved {
			e.Say("%s: %s does not run with the drop-in %s", s.ID, v, m.From)
			e.Keep(m.From, m.To)
		}
	}
	return nil
}

// verify lets the real programs judge the files in a folder of their own.
func (s Run) verify(ctx context.Context, e Env, services []*workload.Service) error {
	var staged []host.File
	var checks [][]string
	dir := path.Join(e.Goal.Layout.Own.Stage, services[0].Name)
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

// Diagnose collects what the host itself says of services that do not come up.
func (s Run) Diagnose(ctx context.Context, e Env) string {
	h, err := s.goal(e)
	if err != nil {
		return ""
	}
	var b strings.Builder
	for _, v := range s.Set {
		if h.Services[v] == nil {
			continue
		}
		if out, err := workload.Diagnose(ctx, e.Host, *h.Services[v]); err == nil {
			fmt.Fprintf(&b, "%s on %s: %s\n", v, s.ID, out)
		}
	}
	return b.String()
}
