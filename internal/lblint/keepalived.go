package lblint

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// keepalived judges the instances of VRRP, by keepalived.conf(5) and RFC 9568.
func keepalived(text []byte) ([]Finding, error) {
	r := newReader(text)
	r.byLine, r.comments = true, "#!"
	top, err := r.statements(0)
	if err != nil {
		return nil, err
	}
	var out findings
	instances := all(top, "vrrp_instance")
	if len(instances) == 0 {
		out.add(0, "it has no vrrp_instance, and so no address that moves", "give the file that does")
	}
	taken := map[string]statement{} // the instance by its network card and VRID
	var addresses []string
	for _, in := range instances {
		id, there := last(in.block, "virtual_router_id")
		card, _ := last(in.block, "interface")
		if !there {
			out.add(in.line, in.arg(1)+" has no virtual_router_id: keepalived leaves it out",
				"virtual_router_id with a number from 1 to 255 that nobody else on the network has")
		}
		key := card.arg(1) + " " + id.arg(1)
		if other, twice := taken[key]; there && twice {
			out.add(id.line,
				fmt.Sprintf("virtual_router_id %s is that of %s on the same network too: their adverts are taken for each other's", id.arg(1),
					other.arg(1)),
				"give each a number of its own")
		}
		taken[key] = in
		addresses = append(addresses, virtual(in)...)
		out = append(out, keepalivedInstance(top, in)...)
	}
	for _, script := range all(top, "vrrp_script") {
		out = append(out, keepalivedScript(script, addresses)...)
	}
	return out, nil
}

// virtual are the addresses of an instance, without their prefix length.
func virtual(in statement) (out []string) {
	for _, name := range []string{"virtual_ipaddress", "virtual_ipaddress_excluded"} {
		for _, list := range all(in.block, name) {
			for _, a := range list.block {
				address, _, _ := strings.Cut(a.name(), "/")
				out = append(out, address)
			}
		}
	}
	return out
}

func keepalivedInstance(top []statement, in statement) (out findings) {
	tracked := false
	for _, name := range []string{"track_script", "track_process", "track_file"} {
		for _, track := range all(in.block, name) {
			for _, t := range track.block {
				tracked = true
				if name == "track_script" && !slices.ContainsFunc(all(top, "vrrp_script"), func(s statement) bool { return s.arg(1) == t.name() }) {
					out.add(t.line, "there is no vrrp_script "+t.name()+": the address is not tied to it",
						"define it, or correct its name")
				}
			}
		}
	}
	if !tracked {
		out.add(in.line, in.arg(1)+": the address stays here when the load balancer is dead: nothing is tracked",
			"a vrrp_script that asks the local load balancer for /readyz, in track_script")
	}
	if len(virtual(in)) == 0 {
		out.add(in.line, in.arg(1)+" has no virtual_ipaddress", "add the address with its prefix length")
	}
	if _, unicast := last(in.block, "unicast_peer"); !unicast {
		out.note(in.line,
			in.arg(1)+" uses multicast: where the network drops it (most clouds, many switches), both hosts take the address",
			"unicast_src_ip and unicast_peer")
	}
	if a, there := last(in.block, "advert_int"); there {
		if s, err := strconv.ParseFloat(a.arg(1), 64); err == nil && 3*s > noticeMost.Seconds() {
			out.add(a.line, fmt.Sprintf("advert_int %s: the address moves %g s after its host is lost", a.arg(1), 3*s),
				"advert_int 1; with vrrp_version 3, 0.1")
		}
	}
	globals, _ := last(top, "global_defs")
	version, _ := last(append(slices.Clone(globals.block), in.block...), "vrrp_version")
	version2, _ := last(in.block, "version")
	if auth, there := last(in.block, "authentication"); there && (version.arg(1) == "3" || version2.arg(1) == "3") {
		out.note(auth.line, "authentication counts for nothing with VRRP version 3",
			"remove it; keep strangers out with unicast_peer and a firewall")
	}
	return out
}

// keepalivedScript judges a check.
func keepalivedScript(s statement, virtual []string) (out findings) {
	command, _ := last(s.block, "script")
	for _, a := range virtual {
		if mentions(strings.Join(command.words, " "), a) {
			out.add(command.line,
				"the check goes through the address "+a+" itself: where the address is not, it asks the other host",
				"ask the load balancer of this host, on 127.0.0.1")
		}
	}
	if command.arg(1) == "" {
		out.add(s.line, "vrrp_script "+s.arg(1)+" has no script", "script, with the command's whole path")
	}
	interval, fall := 1.0, 1
	line := s.line
	if i, there := last(s.block, "interval"); there {
		if s, err := strconv.ParseFloat(i.arg(1), 64); err == nil {
			interval, line = s, i.line
		}
	}
	if f, there := last(s.block, "fall"); there {
		if n, err := strconv.Atoi(f.arg(1)); err == nil {
			fall = n
		}
	}
	if t := interval * float64(fall); t > noticeMost.Seconds() {
		out.add(line,
			fmt.Sprintf("the address stays for %g s with a load balancer that is dead (interval %g, fall %d)", t, interval, fall),
			"interval 1, fall 2")
	}
	return out
}

// mentions says whether an address is in a text, and not only a part of another.
func mentions(text, address string) bool {
	belongs := "0123456789."
	if strings.Contains(address, ":") {
		belongs = "0123456789abcdefABCDEF:"
	}
	for {
		before, rest, found := strings.Cut(text, address)
		if !found || address == "" {
			return false
		}
		if strings.TrimRight(before, belongs) == before && strings.TrimLeft(rest, belongs) == rest {
			return true
		}
		text = rest
	}
}
