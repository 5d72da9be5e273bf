package workload

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// unitState is what systemd says of a unit.
type unitState struct {
	load, active, sub, file, result string
	pid, restarts                   int
	since                           time.Duration // for how long it has been active
	read, version                   string
}

// systemdStates reads the frames "units" (blocks of systemctl show), "uptime",
// "stamps" (lines like /proc/7/environ:QUORATE_CONFIG=digest) and "versions" (of
// units, lines like /etc/systemd/system/etcd.service:Environment=QUORATE_VERSION=3.6.8).
func systemdStates(frames map[string]string) map[string]unitState {
	out := map[string]unitState{}
	uptime, _ := strconv.ParseFloat(strings.Fields(frames["uptime"] + " 0")[0], 64)
	stamps, versions := pairs(frames["stamps"], ":"+StampEnv+"="), pairs(frames["stamps"], ":"+VersionEnv+"=")
	ofUnits := pairs(frames["versions"], ":Environment="+VersionEnv+"=")
	for _, block := range strings.Split(frames["units"], "\n\n") {
		m := pairs(block, "=")
		name := strings.TrimSuffix(m["Id"], ".service")
		if name == "" {
			continue
		}
		u := unitState{load: m["LoadState"], active: m["ActiveState"], sub: m["SubState"], file: m["UnitFileState"], result: m["Result"]}
		u.pid, _ = strconv.Atoi(m["MainPID"])
		u.restarts, _ = strconv.Atoi(m["NRestarts"])
		environ := fmt.Sprintf("/proc/%d/environ", u.pid)
		u.read, u.version = stamps[environ], versions[environ]
		if u.pid == 0 {
			u.version = ofUnits[Systemd{}.Path(name)]
		}
		if began, err := strconv.ParseInt(m["ActiveEnterTimestampMonotonic"], 10, 64); err == nil && began > 0 {
			u.since = max(0, time.Duration(uptime*float64(time.Second))-time.Duration(began)*time.Microsecond)
		}
		out[name] = u
	}
	return out
}

func (u unitState) state(w Watch) State {
	s := State{Installed: u.load != "" && u.load != "not-found", Masked: u.load == "masked", Boot: u.file,
		Moving: u.active == "activating" || u.active == "deactivating", Restarting: u.sub == "auto-restart",
		Restarts: u.restarts, Since: u.since, PID: u.pid, Read: u.read, Version: u.version, As: unitOf(w.Name), Logs: "journalctl -u " + w.Name}
	switch {
	case !s.Installed:
		s.Word = "not installed"
	case s.Restarting:
		s.Word = "restarting"
	case u.active == "failed" && u.result != "":
		s.Word = "failed (" + u.result + ")"
	default:
		s.Word = u.active
	}
	// A member of etcd that waits for its peers counts as up: it is what they
	// wait for. A process that may end in a moment does not.
	switch {
	case u.active == "active":
		s.Young = w.Silent && young(u.since, u.restarts)
		s.Up = !s.Young
	case u.active == "reloading":
		s.Up = true
	case u.active == "activating":
		s.Up = u.sub == "start-post" || w.ServesStarting && u.sub == "start"
	}
	s.Up = s.Up && (s.Installed || !w.Drains)
	s.CrashLooping = s.Restarting || u.active == "failed" ||
		u.restarts > 0 && (u.active == "activating" || u.active == "active" && u.since < restored)
	return s
}
