package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Cut drops all packets from and to a host until [Lab.Heal], also across its
// reboots.
func (l *Lab) Cut(ctx context.Context, host string) error {
	return l.withHost(ctx, host, func(link string) error {
		_, err := run(ctx, nil, "nft", "add", "element", "bridge", tableName(l.Name), "cut", "{", strconv.Quote(link), "}")
		return err
	})
}

// CutPorts drops the TCP packets of a host that come from or go to some ports,
// such as "2379-2380,6443", on either side of a connection, until [Lab.Heal].
func (l *Lab) CutPorts(ctx context.Context, host, ports string) error {
	list, err := parsePorts(ports)
	if err != nil {
		return err
	}
	return l.withHost(ctx, host, func(link string) error {
		var elements []string
		for _, p := range list {
			elements = append(elements, fmt.Sprintf("%q . %d", link, p))
		}
		_, err := run(ctx, nil, "nft", "add", "element", "bridge", tableName(l.Name), "cutports", "{", strings.Join(elements, ", "), "}")
		return err
	})
}

// Hang stops the processes of a service with SIGSTOP until [Lab.Heal]: they
// keep their connections and ports, and answer nothing.
func (l *Lab) Hang(ctx context.Context, host, service string) error {
	const script = `systemctl is-active --quiet "$1" || { echo "$1 does not run there" >&2; exit 1; }; systemctl kill --signal=STOP "$1"`
	return l.inside(ctx, host, "hang "+service, script, service)
}

// Heal undoes [Lab.Cut], [Lab.CutPorts] and [Lab.Hang].
func (l *Lab) Heal(ctx context.Context, host string) error {
	err := l.withHost(ctx, host, func(link string) error {
		cut, err := l.cuts(ctx)
		if err != nil {
			return err
		}
		var flush []string
		if cut[link].all {
			flush = append(flush, fmt.Sprintf("delete element bridge %s cut { %q }", tableName(l.Name), link))
		}
		for _, p := range cut[link].ports {
			flush = append(flush, fmt.Sprintf("delete element bridge %s cutports { %q . %d }", tableName(l.Name), link, p))
		}
		if len(flush) == 0 {
			return nil
		}
		_, err = run(ctx, strings.NewReader(strings.Join(flush, "\n")+"\n"), "nft", "-f", "-")
		return err
	})
	if err != nil || !l.Running(host) {
		return err
	}
	const script = `for s in /proc/[0-9]*/status; do
	if grep -q '^State:[[:space:]]*T' "$s" 2>/dev/null; then p=${s%/status}; kill -CONT "${p#/proc/}"; fi
done`
	return l.inside(ctx, host, "resume what hangs", script)
}

// withHost changes what is cut off of a host, by the name of its link.
func (l *Lab) withHost(ctx context.Context, host string, change func(link string) error) error {
	if err := checkRoot(); err != nil {
		return err
	}
	if _, err := l.Host(host); err != nil {
		return err
	}
	held, err := labLock(ctx, l.Name, lockShared)
	if err != nil {
		return fmt.Errorf("lab %s: %w", l.Name, err)
	}
	defer held.release()
	if err := change(linkName(l.Subnet, host)); err != nil {
		return fmt.Errorf("%s: change what is cut off: %w", host, err)
	}
	return nil
}

// inside runs a script on a host; what it says goes into the error.
func (l *Lab) inside(ctx context.Context, host, what, script string, args ...string) error {
	var said bytes.Buffer
	if err := l.Exec(ctx, host, append([]string{"sh", "-euc", script, "sh"}, args...), nil, &said, &said); err != nil {
		return fmt.Errorf("%s: %s: %w: %s", host, what, err, strings.TrimSpace(said.String()))
	}
	return nil
}

// cutOff is what of a host's packets is dropped.
type cutOff struct {
	all   bool
	ports []int
}

// cuts are the hosts that are cut off, by the names of their links.
func (l *Lab) cuts(ctx context.Context) (map[string]cutOff, error) {
	out, err := run(ctx, nil, "nft", "-j", "list", "table", "bridge", tableName(l.Name))
	if err != nil {
		return nil, fmt.Errorf("lab %s: see what is cut off: %w", l.Name, err)
	}
	return parseCuts(out)
}

// parseCuts reads the sets of a lab's table, as nft prints it in JSON.
func parseCuts(text string) (map[string]cutOff, error) {
	var list struct {
		Nftables []struct {
			Set struct {
				Name string
				Elem []json.RawMessage
			}
		}
	}
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return nil, fmt.Errorf("read what is cut off: %w", err)
	}
	cuts := map[string]cutOff{}
	for _, item := range list.Nftables {
		for _, e := range item.Set.Elem {
			var link string
			var pair struct{ Concat []any }
			switch {
			case item.Set.Name == "cut" && json.Unmarshal(e, &link) == nil:
				c := cuts[link]
				c.all = true
				cuts[link] = c
			case item.Set.Name == "cutports" && json.Unmarshal(e, &pair) == nil && len(pair.Concat) == 2:
				link, port, ok := linkPort(pair.Concat)
				if !ok {
					return nil, fmt.Errorf("read what is cut off: %s", e)
				}
				c := cuts[link]
				c.ports = append(c.ports, port)
				slices.Sort(c.ports)
				cuts[link] = c
			default:
				return nil, fmt.Errorf("read what is cut off: %s", e)
			}
		}
	}
	return cuts, nil
}

func linkPort(pair []any) (link string, port int, ok bool) {
	link, isText := pair[0].(string)
	number, isNumber := pair[1].(float64)
	return link, int(number), isText && isNumber
}

// maxPorts bounds a list of ports, of which each is an element of a set.
const maxPorts = 1000

// parsePorts reads ports and ranges of them, joined by commas.
func parsePorts(text string) (ports []int, err error) {
	for _, part := range strings.Split(text, ",") {
		low, high, isRange := strings.Cut(part, "-")
		if !isRange {
			high = low
		}
		from, err1 := strconv.ParseUint(low, 10, 16)
		to, err2 := strconv.ParseUint(high, 10, 16)
		if err1 != nil || err2 != nil || from == 0 || to < from || len(ports)+int(to-from) >= maxPorts {
			return nil, fmt.Errorf("ports %q: want up to %d ports or ranges joined by commas, such as 2379-2380,6443", text, maxPorts)
		}
		for p := int(from); p <= int(to); p++ {
			ports = append(ports, p)
		}
	}
	return ports, nil
}
