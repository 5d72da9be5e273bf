// Command quorate-lb runs a balancer (package internal/balancer) from one
// configuration file. docs/balancer.md describes both.
//
//	quorate-lb -config /etc/quorate/lb.yaml     run
//	quorate-lb -config FILE -check              say what is wrong with a file
//	quorate-lb -config FILE -takeoff            take its virtual addresses off this host
//	quorate-lb -version
//
// SIGHUP reads the file anew, which also happens within a second of a change.
// SIGUSR2 starts the program file anew and drains this process once the new one
// accepts. SIGTERM drains: nothing is accepted any more, and the process ends
// with its last session or after the file's drain time. A second SIGTERM, or
// SIGINT, ends it at once. Exit codes: 0 ended as asked, 1 could not start or
// the checked file is not valid, 2 wrong usage.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"quorate.dev/quorate/internal/balancer"
	"quorate.dev/quorate/internal/balancer/check"
	"quorate.dev/quorate/internal/balancer/config"
	"quorate.dev/quorate/internal/balancer/notify"
	"quorate.dev/quorate/internal/balancer/relay"
	"quorate.dev/quorate/internal/balancer/vip"
	"quorate.dev/quorate/internal/version"
)

func main() {
	path := flag.String("config", "/etc/quorate/lb.yaml", "the configuration `file`, YAML or JSON")
	only := flag.Bool("check", false, "check the file and the certificates that it names, and exit")
	leaving := flag.String("leaving", "/run/quorate-lb/leaving", "a `file` with backends that leave for a while; it need not exist")
	guard := flag.Bool(strings.TrimPrefix(vip.GuardFlag, "-"), false,
		"for itself: take virtual addresses off when the process that started this one fails")
	takeOff := flag.Bool("takeoff", false, "take the file's virtual addresses off this host, if they are here, and exit")
	printVersion := flag.Bool("version", false, "print the version and exit")
	flag.Parse()
	switch {
	case flag.NArg() > 0:
		fmt.Fprintf(os.Stderr, "quorate-lb: unexpected argument %q\n", flag.Arg(0))
		flag.Usage()
		os.Exit(2)
	case *guard:
		runGuard()
		return
	case *takeOff:
		if err := takeAddressesOff(*path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	case *printVersion:
		fmt.Println("quorate-lb", version.Current())
		return
	case *only:
		if err := checkFile(*path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	// The relay's loops hold their processors for a moment while they wait.
	runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + relay.Loops)
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	if err := run(*path, *leaving, log); err != nil {
		log.Error("quorate-lb could not start", "error", err)
		os.Exit(1)
	}
}

func readFile(path string) (config.File, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return config.File{}, err
	}
	f, err := config.Parse(text)
	if err != nil {
		return config.File{}, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}

func checkFile(path string) error {
	f, err := readFile(path)
	if err != nil {
		return err
	}
	for _, w := range f.Ways {
		if _, err := check.New(w.Check); err != nil {
			return fmt.Errorf("%s: way %s: %w", path, w.Name, err)
		}
	}
	return nil
}

func run(path, leaving string, log *slog.Logger) error {
	b := balancer.New(log)
	d := &daemon{path: path, leaving: leaving, log: log, balancer: b, vips: vip.New(log, b.Serving, os.Stderr)}
	if err := d.load(); err != nil {
		return err
	}
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGTERM, syscall.SIGINT, syscall.SIGUSR2)
	before, held := tellParent(log)
	d.vips.Apply(d.file.VIPs, held)
	before.took()
	d.send(notify.MainPID(), notify.Ready, notify.Status(d.status()))
	log.Info("quorate-lb runs", "version", version.Version, "config", path, "pid", os.Getpid())

	changes := time.NewTicker(time.Second)
	defer changes.Stop()
	quiet := time.NewTicker(time.Minute)
	defer quiet.Stop()
	watchdog := time.NewTicker(orForever(notify.Watchdog()))
	defer watchdog.Stop()
	for {
		select {
		case <-changes.C:
			if d.changed() {
				d.reload()
			}
		case <-quiet.C:
			if d.sessions() < 100 {
				debug.FreeOSMemory() // what a busy time took goes back; nobody waits for it
			}
		case <-watchdog.C:
			b.View() // asks every way: a deadlock would not answer
			d.send(notify.Alive)
		case s := <-signals:
			switch s {
			case syscall.SIGHUP:
				d.reload()
			case syscall.SIGUSR2:
				if d.upgrade() {
					return d.drain(signals, watchdog.C)
				}
			case syscall.SIGINT:
				return d.end()
			default:
				// Not STOPPING=1: systemd would end it after TimeoutStopSec.
				d.send(notify.Status("draining: nothing is accepted any more"))
				return d.drain(signals, watchdog.C)
			}
		}
	}
}

func orForever(d time.Duration) time.Duration {
	if d <= 0 {
		return 365 * 24 * time.Hour
	}
	return d
}

// drain ends with the last session, at the time limit, or at another signal.
func (d *daemon) drain(signals <-chan os.Signal, watchdog <-chan time.Time) error {
	d.log.Info("draining: nothing is accepted any more", "most", d.file.Drain.Std(), "sessions", d.sessions())
	d.vips.Stop("this process ends") // first: others wait for the addresses
	d.admin.Close()                  // the address is the new process's
	ctx, cancel := context.WithTimeout(context.Background(), d.file.Drain.Std())
	defer cancel()
	drained := make(chan struct{})
	go func() {
		d.balancer.Drain(ctx)
		close(drained)
	}()
	for {
		select {
		case <-drained:
			return d.end()
		case <-watchdog:
			d.send(notify.Alive)
		case s := <-signals:
			if s == syscall.SIGTERM || s == syscall.SIGINT {
				cancel()
			}
		}
	}
}

func (d *daemon) end() error {
	d.vips.Stop("this process ends")
	d.log.Info("quorate-lb ends", "sessions", d.sessions())
	d.admin.Close()
	d.balancer.Close()
	return nil
}
