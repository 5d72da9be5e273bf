package component

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/layout"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/workload"
)

// Keepalived holds the virtual address on one of the hosts with the role
// load-balancer. All begin as backups, and by default nobody takes the address
// back: it moves only when it must. It gives the address up where HAProxy does not
// answer, and where HAProxy reaches no API server while that of another host does. If
// nobody reaches one, the address stays: a balancer that has it and slow servers is
// better than an address that leads nowhere.
//
// A weight would not do: with nopreempt a backup of higher priority does not take
// over from a holder whose priority fell (keepalived.conf(5), nopreempt).
//
// The unit takes the address off when Keepalived ends, however it ends, for one
// that was killed would leave it behind. The distribution's keepalived.service is
// left alone.
func Keepalived(ctx Context) (workload.Service, error) {
	config, err := keepalivedConfig(ctx)
	if err != nil {
		return workload.Service{}, err
	}
	at, vip := ctx.Layout.Keepalived, ctx.Spec.LoadBalancer.VIP
	takeOff := "-/bin/sh -c 'ip address delete " + vip.Prefix().String() + " dev " + ctx.vipInterface() + " 2>/dev/null || true'"
	applied := "sed -n \"s/^# stamp //p\" " + at.Config + " >" + at.Applied
	unit := strings.Join([]string{
		"[Unit]",
		"Description=Virtual address of the load balancers (Keepalived)",
		"Documentation=man:keepalived.conf(5)",
		"X-Quorate=" + ctx.Cluster,
		"Wants=network-online.target",
		"After=network-online.target " + ctx.Layout.Service(model.HAProxy),
		"StartLimitIntervalSec=0",
		"",
		"[Service]",
		"ExecStartPre=" + takeOff,
		"ExecStartPre=/bin/sh -c '" + applied + "'",
		"ExecStart=" + at.Program + " --dont-fork --vrrp --log-detail --use-file " + at.Config +
			" --pid " + at.Run + "/keepalived.pid --vrrp_pid " + at.Run + "/vrrp.pid",
		"ExecReload=/bin/sh -c 'kill -HUP $MAINPID; " + applied + "'",
		"ExecStopPost=" + takeOff,
		"Restart=always",
		"RestartSec=1",
		"TimeoutStopSec=5s",
		workload.RuntimeDirectory(at.Run),
		"PrivateTmp=yes",
		"ProtectControlGroups=yes",
		"ProtectHome=yes",
		"RestrictNamespaces=yes",
		"",
		"[Install]",
		"WantedBy=multi-user.target",
		"",
	}, "\n")
	s := workload.Service{Name: ctx.Layout.Unit(model.Keepalived), Unit: unit, Reload: true, Resumes: true,
		Files: []workload.File{{File: host.File{Path: at.Config, Content: []byte(config), Mode: 0o600}}}} // it may hold a password
	s.Verify = [][]string{s.VerifyUnit(), {"sh", "-c", keepalivedTest, "sh", at.Program, "{}" + at.Config}}
	return s, nil
}

// keepalivedTest checks a configuration. Keepalived 2.2 ends its test of one with a
// vrrp_script by a signal to its own process group, right or wrong: then what it
// says decides.
const keepalivedTest = `said=$(setsid "$1" --config-test --use-file "$2" 2>&1)
case $? in
0) exit 0 ;;
143) [ -n "$said" ] || exit 0 ;;
esac
echo "$said" >&2
exit 1`

// vipInterface is the one that gets the virtual address: the file's, or the one with
// the host's own address. Nothing is written while neither is known.
func (c Context) vipInterface() string {
	return cmp.Or(c.Spec.LoadBalancer.VIP.Interface, c.Interface, "unknown")
}

func keepalivedConfig(ctx Context) (string, error) {
	vip := ctx.Spec.LoadBalancer.VIP
	if !vip.Prefix().IsValid() {
		return "", errors.New("the virtual address: spec.loadBalancer.vip.address is missing; write it like 10.0.0.100/24")
	}
	priority, peers := ctx.vrrpPart()
	asks := func(path string) string {
		return fmt.Sprintf(`  script "/usr/bin/curl -s -f -m 3 -o /dev/null %s"`, local(ctx.Layout.HAProxy.HealthPort, path))
	}
	lines := []string{"# Written by quorate; changes are overwritten.", "# stamp " + workload.StampMark,
		"global_defs {", "  router_id " + ctx.Self.Name}
	if vip.PasswordFile == "" {
		lines = append(lines, "  vrrp_version 3")
	} else {
		lines = append(lines, "  vrrp_version 2")
	}
	lines = append(lines, "  enable_script_security", "  script_user nobody", "}", "",
		// Who ends refuses at once. On a busy machine curl alone may take two seconds to start.
		"vrrp_script haproxy {", asks("/quorate"), "  interval 1", "  timeout 4", "  fall 2", "  rise 2", "}", "",
		// Until the others have noticed, too, that no API server answers.
		"vrrp_script api {", asks("/healthz"), "  interval 1", "  timeout 4", "  fall 4", "  rise 2", "}", "",
		"vrrp_instance kubernetes {",
		"  state BACKUP",
		"  interface "+ctx.vipInterface(),
		fmt.Sprintf("  virtual_router_id %d", vip.VRID),
		fmt.Sprintf("  priority %d", priority),
		fmt.Sprintf("  advert_int %g", float64(vip.AdvertMilliseconds)/1000),
		"  garp_master_repeat 5", "  garp_master_refresh 30")
	if !vip.Preempt {
		lines = append(lines, "  nopreempt")
	}
	if len(peers) > 0 {
		lines = append(lines, "  unicast_src_ip "+ctx.Self.Address, "  unicast_peer {", "    "+strings.Join(peers, "\n    "), "  }")
	}
	if vip.PasswordFile != "" {
		lines = append(lines, "  authentication {", "    auth_type PASS", "    auth_pass "+ctx.VRRPPassword, "  }")
	}
	lines = append(lines,
		"  virtual_ipaddress {", "    "+vip.Prefix().String()+" dev "+ctx.vipInterface(), "  }",
		"  track_script {", "    haproxy", "    api", "  }", "}", "")
	return strings.Join(lines, "\n"), nil
}

func keepalivedStamp(at layout.Layout) string { return "cat " + at.Keepalived.Applied + " 2>/dev/null" }
