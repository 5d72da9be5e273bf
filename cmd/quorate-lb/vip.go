package main

import (
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"quorate.dev/quorate/internal/balancer/vip"
)

// runGuard is the watchdog process. It ends with the process that it watches and
// not before: a service manager's signals go to both.
func runGuard() {
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGUSR2, syscall.SIGPIPE)
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	if err := vip.Guard(log, os.NewFile(vip.GuardFD, "watched")); err != nil {
		log.Error("the guard ends", "error", err)
		os.Exit(1)
	}
}

// takeAddressesOff is for the end of a service, however that ended.
func takeAddressesOff(path string) error {
	f, err := readFile(path)
	if err != nil {
		return err
	}
	there, err := vip.TakeOff(f.VIPs)
	for _, a := range there {
		fmt.Println("taken off:", a)
	}
	return err
}
