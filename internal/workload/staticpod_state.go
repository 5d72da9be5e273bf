package workload

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// userHZ is the kernel's unit of times in /proc, the same on all Linux.
const userHZ = 100

// podStates reads the frames "manifests", "pods" (lines of name, process, start
// in ticks since boot, uptime and clock in seconds), "argv" (lines of file and
// argument) and "containers" (crictl ps -o json), by service.
func podStates(frames map[string]string) map[string]State {
	out := map[string]State{}
	stamps, restarts := pairs(frames["stamps"], ":"+StampEnv+"="), containerRestarts(frames["containers"])
	versions, ofManifests := pairs(frames["stamps"], ":"+VersionEnv+"="), pairs(frames["podversions"], " ")
	for _, name := range strings.Fields(frames["manifests"]) {
		out[name] = State{Pod: true, Installed: true, Boot: "enabled", Word: "not running", Moving: true, Restarts: restarts[name],
			CrashLooping: restarts[name] > 0, Restarting: restarts[name] > 0,
			Version: strings.Trim(ofManifests[name], `'"`), As: "the static pod " + name, Logs: "crictl logs of " + name}
	}
	for l := range strings.Lines(frames["pods"]) {
		w := strings.Fields(l)
		if len(w) != 5 {
			continue
		}
		s := out[w[0]]
		s.Pod, s.Boot, s.Word, s.Moving, s.Restarting, s.As = true, "enabled", "active", false, false, "the static pod "+w[0]
		ticks, _ := strconv.ParseFloat(w[2], 64)
		uptime, _ := strconv.ParseFloat(w[3], 64)
		now, _ := strconv.ParseFloat(w[4], 64)
		age := max(0, uptime-ticks/userHZ)
		s.PID, _ = strconv.Atoi(w[1])
		s.Since, s.Started = seconds(age), time.Unix(0, 0).Add(seconds(now-age))
		s.Read, s.Version = stamps["/proc/"+w[1]+"/environ"], versions["/proc/"+w[1]+"/environ"]
		for arg := range strings.Lines(frames["argv"]) {
			if arg, its := strings.CutPrefix(strings.TrimSuffix(arg, "\n"), "/proc/"+w[1]+"/cmdline:"); its {
				s.Argv = append(s.Argv, arg)
			}
		}
		s.Young = young(s.Since, s.Restarts)
		s.Up = !s.Young
		s.CrashLooping = s.Restarts > 0 && s.Since < restored
		out[w[0]] = s
	}
	return out
}

func seconds(f float64) time.Duration { return time.Duration(f * float64(time.Second)) }

// containerRestarts is how often the newest container of each name was begun
// anew: a changed manifest is another pod, which counts from zero.
func containerRestarts(text string) map[string]int {
	var list struct {
		Containers []struct {
			CreatedAt string
			Metadata  struct {
				Name    string
				Attempt int
			}
		}
	}
	out, newest := map[string]int{}, map[string]int64{}
	if json.Unmarshal([]byte(text), &list) != nil {
		return out // the runtime does not answer
	}
	for _, c := range list.Containers {
		created, _ := strconv.ParseInt(c.CreatedAt, 10, 64)
		if n := c.Metadata.Name; created >= newest[n] {
			newest[n], out[n] = created, c.Metadata.Attempt
		}
	}
	return out
}

// ctimes reads lines of stat -c '%Z %n'.
func ctimes(text string) map[string]time.Time {
	out := map[string]time.Time{}
	for l := range strings.Lines(text) {
		at, path, _ := strings.Cut(strings.TrimSpace(l), " ")
		if sec, err := strconv.ParseInt(at, 10, 64); err == nil {
			out[path] = time.Unix(sec, 0)
		}
	}
	return out
}
