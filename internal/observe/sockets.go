package observe

import (
	"net"
	"slices"
	"strconv"
	"strings"
)

// Listener is a process that listens on a TCP port.
type Listener struct {
	Port    string
	Process string // as it calls itself: anybody may choose any name
	PID     int
	Unit    string // the system's service it is part of, without ".service"; podsGroup: it is a pod's
}

// listeners reads lines of ss -Htnp, with their state. ss prints names as
// processes choose them, line breaks and quotes included, of 15 bytes at most:
// what is no whole line of its own is the rest of the line before.
func listeners(text string, owners map[int]string) (out []Listener) {
	var users []string
	established := false
	for _, l := range lines(text) {
		if port, rest, ok := listening(l); ok {
			out, users, established = append(out, Listener{Port: port}), append(users, rest), false
		} else if _, is := connected(l); is {
			established = true
		} else if len(users) > 0 && !established {
			users[len(users)-1] += " " + l
		}
	}
	for i, u := range users {
		_, name, _ := strings.Cut(u, `users:(("`)
		out[i].Process, _, _ = strings.Cut(name, `"`)
		out[i].PID = lastPID(u)
		out[i].Unit = owners[out[i].PID]
	}
	return out
}

// listening takes a line of ss apart: LISTEN, two numbers, both addresses.
func listening(l string) (port, users string, ok bool) {
	w := strings.Fields(l)
	if len(w) < 5 || w[0] != "LISTEN" || !number(w[1]) || !number(w[2]) || !strings.HasSuffix(w[4], ":*") {
		return "", "", false
	}
	host, port := w[3], ""
	if at := strings.LastIndex(host, ":"); at > 0 {
		host, port = host[:at], host[at+1:]
	}
	if _, after, found := strings.Cut(l, w[4]); found {
		users = after
	}
	return port, users, host != "" && number(port)
}

// connected takes a line of ss about a connection apart: ESTAB, two numbers,
// both addresses, and perhaps who holds it.
func connected(l string) (to string, ok bool) {
	w := strings.Fields(l)
	if len(w) < 5 || w[0] != "ESTAB" || !number(w[1]) || !number(w[2]) {
		return "", false
	}
	to, port, err := net.SplitHostPort(w[4])
	return net.JoinHostPort(strings.TrimPrefix(to, "::ffff:"), port), err == nil && number(port)
}

func number(s string) bool {
	_, err := strconv.ParseUint(s, 10, 32)
	return err == nil
}

// lastPID is the process of the last user that ss names on a line; 0: none. No
// name comes after it, so that it is the kernel's word.
func lastPID(l string) int {
	l, ends := strings.CutSuffix(strings.TrimSpace(l), "))")
	at := strings.LastIndex(l, ",pid=")
	if !ends || at < 0 {
		return 0
	}
	pid, fd, _ := strings.Cut(l[at+len(",pid="):], ",fd=")
	if !number(pid) || !number(fd) {
		return 0
	}
	n, _ := strconv.Atoi(pid)
	return n
}

// peers reads the same: where the connections of a process lead, as host:port.
func peers(text string, pid int) []string {
	return peersIf(text, func(l string) bool { return pid != 0 && lastPID(l) == pid })
}

// peersOf are those of all processes that call themselves so.
func peersOf(text, process string) []string {
	return peersIf(text, func(l string) bool { return strings.Contains(l, ` users:(("`+process+`",pid=`) })
}

func peersIf(text string, whose func(line string) bool) (out []string) {
	for _, l := range lines(text) {
		if to, is := connected(l); is && whose(l) {
			out = append(out, to)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// owners are the system's services that processes belong to, by lines
// "/proc/PID/cgroup:HIERARCHY:CONTROLLERS:PATH". The host may be a container
// itself: paths then begin with that of its first process. A user can make
// groups of any name, but only below user.slice.
func owners(text string) map[int]string {
	prefix := ""
	paths := map[int][]string{}
	for _, l := range lines(text) {
		w := strings.SplitN(l, ":", 4)
		if len(w) != 4 {
			continue
		}
		pid, err := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(w[0], "/proc/"), "/cgroup"))
		if err != nil {
			continue
		}
		if above, is := strings.CutSuffix(w[3], "/init.scope"); pid == 1 && is {
			prefix = above
		}
		paths[pid] = append(paths[pid], w[3])
	}
	out := map[int]string{}
	for pid, of := range paths {
		for _, p := range of {
			if unit := serviceOf(strings.TrimPrefix(p, prefix)); unit != "" {
				out[pid] = unit
			}
		}
	}
	return out
}

// podsGroup is the control group in which the kubelet runs all pods, whatever
// driver it uses (https://kubernetes.io/docs/concepts/architecture/cgroups/).
const podsGroup = "kubepods"

// serviceOf is the service that a control group belongs to.
func serviceOf(path string) string {
	groups := strings.Split(strings.Trim(path, "/"), "/")
	switch strings.TrimSuffix(groups[0], ".slice") {
	case "user":
		return ""
	case podsGroup:
		return podsGroup
	}
	for _, g := range groups {
		if unit, is := strings.CutSuffix(g, ".service"); is {
			return unit
		}
	}
	return ""
}
