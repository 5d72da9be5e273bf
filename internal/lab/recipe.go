package lab

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"runtime"
)

// recipe is everything that decides what is in the image. Its digest names the
// image, so a changed recipe makes a new one.
type recipe struct {
	Suite    string
	Arch     string
	Packages []string
	Files    []imageFile
	Remove   []string // the machine's own traces, and keys every host has its own of
	Enable   []string
	Disable  []string // installed for others to start, not listening by themselves
	Mask     []string
}

type imageFile struct {
	Path, Content string
	Mode          uint32
}

//go:embed image/quorate-lab-fixups
var fixupsScript string

//go:embed image/quorate-lab-fixups.service
var fixupsUnit string

// generators of systemd find nothing to do on a lab host, and all of them run at
// each reload of its units.
var generators = []string{"cryptsetup", "debug", "fstab", "getty", "gpt-auto", "hibernate-resume", "integritysetup", "rc-local", "run",
	"system-update", "sysv", "veritysetup"}

func imageRecipe() recipe {
	r := recipe{
		Suite: "bookworm",
		Arch:  runtime.GOARCH,
		Packages: []string{
			"systemd", "systemd-sysv", "dbus", "openssh-server", "iproute2", "iptables", "nftables",
			"conntrack", "socat", "ethtool", "ca-certificates", "kmod", "procps", "curl", "sudo",
			"nginx-light", "libnginx-mod-stream", "haproxy", "keepalived",
			"sshfs", // a shared volume for tests
		},
		Files: []imageFile{
			{"/usr/local/sbin/quorate-lab-fixups", fixupsScript, 0o755},
			{"/etc/systemd/system/quorate-lab-fixups.service", fixupsUnit, 0o644},
			// Routes and rules of the pod network are not networkd's to remove.
			{"/etc/systemd/networkd.conf.d/quorate-lab.conf", "[Network]\nManageForeignRoutes=no\nManageForeignRoutingPolicyRules=no\n", 0o644},
			// Else a power-off waits 90 s for containers that ignore SIGTERM.
			{"/etc/systemd/system.conf.d/quorate-lab.conf", "[Manager]\nDefaultTimeoutStopSec=10s\n", 0o644},
			{"/etc/systemd/journald.conf.d/quorate-lab.conf", "[Journal]\nSystemMaxUse=64M\n", 0o644},
			{"/etc/ssh/sshd_config.d/quorate-lab.conf", "PermitRootLogin prohibit-password\nMaxStartups 200\nMaxSessions 200\n", 0o644},
		},
		Remove: []string{
			"/etc/hostname", "/etc/resolv.conf", "/etc/machine-id", "/var/lib/dbus/machine-id",
			"/etc/ssh/ssh_host_*", "/var/cache/apt/archives/*.deb", "/var/lib/apt/lists/*", "/var/log/journal/*",
		},
		Enable:  []string{"quorate-lab-fixups.service", "systemd-networkd.service", "ssh.service"},
		Disable: []string{"nginx.service", "haproxy.service", "keepalived.service"},
		Mask: []string{
			"systemd-networkd-wait-online.service", "systemd-resolved.service", "systemd-pstore.service", "e2scrub_reap.service",
			"apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "fstrim.timer",
			"console-getty.service", "getty@tty1.service",
		},
	}
	for _, g := range generators { // an empty file masks one: systemd.generator(7)
		r.Files = append(r.Files, imageFile{"/etc/systemd/system-generators/systemd-" + g + "-generator", "", 0o644})
	}
	return r
}

// digest is short: it is part of a folder's name.
func (r recipe) digest() string {
	text, err := json.Marshal(r)
	if err != nil {
		panic(err) // strings and numbers only
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:6])
}
