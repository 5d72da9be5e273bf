package main

import (
	"fmt"
	"log/slog"
	"maps"
	"os"
	"time"

	"quorate.dev/quorate/internal/balancer"
	"quorate.dev/quorate/internal/balancer/admin"
	"quorate.dev/quorate/internal/balancer/config"
	"quorate.dev/quorate/internal/balancer/notify"
	"quorate.dev/quorate/internal/balancer/vip"
	"quorate.dev/quorate/internal/version"
)

// daemon is the process: its file, its balancer, its admin listener.
type daemon struct {
	path     string
	leaving  string // file with backends that leave for a while
	leave    map[[2]string]bool
	log      *slog.Logger
	balancer *balancer.Balancer
	file     config.File
	admin    *admin.Server
	vips     *vip.Set
	seen     stamp
	replaced bool // a new process has taken over and speaks to systemd
}

// stamp tells whether a file may have changed.
type stamp struct {
	modified time.Time
	size     int64
	inode    uint64
}

func (d *daemon) stamp() stamp {
	info, err := os.Stat(d.path)
	if err != nil {
		return stamp{}
	}
	return stamp{info.ModTime(), info.Size(), inode(info)}
}

func (d *daemon) changed() bool {
	return d.stamp() != d.seen || !maps.Equal(d.leave, readLeaving(d.leaving, time.Now()))
}

// load reads the file and takes it into use, or changes nothing.
func (d *daemon) load() error {
	d.seen, d.leave = d.stamp(), readLeaving(d.leaving, time.Now())
	text, err := os.ReadFile(d.path)
	if err != nil {
		return err
	}
	f, err := config.Parse(text)
	if err != nil {
		return fmt.Errorf("%s: %w", d.path, err)
	}
	for i, w := range f.Ways {
		for j, b := range w.Backends {
			f.Ways[i].Backends[j].Leaving = b.Leaving || d.leave[[2]string{w.Name, b.Name}]
		}
	}
	server := d.admin
	if server == nil || f.Admin != d.file.Admin {
		if server, err = admin.Serve(f.Admin, d.balancer, d.vips.View, version.Version); err != nil {
			return fmt.Errorf("%s: %w", d.path, err)
		}
	}
	if err := d.balancer.Apply(f, config.Digest(text)); err != nil {
		if server != d.admin {
			server.Close()
		}
		return fmt.Errorf("%s: %w", d.path, err)
	}
	if server != d.admin {
		d.admin.Close()
	}
	d.admin, d.file = server, f
	return nil
}

// reload keeps the old configuration in use when the new one is not valid.
func (d *daemon) reload() {
	d.send(notify.Reloading())
	if err := d.load(); err != nil {
		d.balancer.Invalid(err)
		d.log.Error("the new configuration is not used, the old one stays; next: correct the file", "error", err)
	} else {
		d.vips.Apply(d.file.VIPs, nil)
		d.log.Info("configuration loaded", "digest", d.balancer.View().Digest, "leaving", len(d.leave))
	}
	d.send(notify.Ready, notify.Status(d.status()))
}

func (d *daemon) send(states ...string) {
	if d.replaced {
		return
	}
	if err := notify.Send(states...); err != nil {
		d.log.Warn("systemd could not be told", "error", err)
	}
}

func (d *daemon) status() string {
	v := d.balancer.View()
	if v.Invalid != "" {
		return "running with an older configuration: " + v.Invalid
	}
	return fmt.Sprintf("configuration %.12s", v.Digest)
}

func (d *daemon) sessions() (n int64) {
	for _, w := range d.balancer.View().Ways {
		n += w.Sessions
	}
	return n
}
