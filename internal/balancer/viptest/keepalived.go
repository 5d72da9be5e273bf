package viptest

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"quorate.dev/quorate/internal/balancer/config"
)

// HasKeepalived says that Debian's keepalived is installed.
func HasKeepalived() bool {
	_, err := exec.LookPath(keepalived)
	return err == nil
}

const keepalived = "/usr/sbin/keepalived"

// Keepalived is a keepalived that is v on a host, in the foreground. Its files are
// in dir.
func (n *Net) Keepalived(i int, v config.VIP, dir string) (*exec.Cmd, error) {
	var peers string
	if len(v.Peers) > 0 {
		peers = "  unicast_src_ip " + v.Source + "\n  unicast_peer {\n    " + strings.Join(v.Peers, "\n    ") + "\n  }\n"
	}
	preempt := "  nopreempt\n"
	if v.Preempt {
		preempt = ""
	}
	family := "inet"
	if p, err := netip.ParsePrefix(v.Addresses[0]); err == nil && p.Addr().Is6() {
		family = "inet6"
	}
	text := fmt.Sprintf(`global_defs {
  vrrp_version 3
  vrrp_garp_master_delay 1
}
vrrp_instance test {
  state BACKUP
%s%s  interface %s
  native_ipv6 %s
  virtual_router_id %d
  priority %d
  advert_int %g
  virtual_ipaddress {
    %s
  }
}
`, preempt, peers, v.Interface, family, v.VRID, v.Priority, v.Advert.Std().Seconds(), strings.Join(v.Addresses, "\n    "))
	if family == "inet" {
		text = strings.Replace(text, "  native_ipv6 inet\n", "", 1)
	} else {
		text = strings.Replace(text, "native_ipv6 inet6", "native_ipv6", 1)
	}
	file := filepath.Join(dir, fmt.Sprintf("keepalived%d.conf", i))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return nil, err
	}
	pid := func(name string) string { return filepath.Join(dir, fmt.Sprint(name, i, ".pid")) }
	return n.Command(i, keepalived, "-n", "-l", "-D", "-P", "-f", file, "-p", pid("main"), "-r", pid("vrrp")), nil
}
