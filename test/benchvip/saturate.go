package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"

	"quorate.dev/quorate/internal/balancer/viptest"
)

// busyPerCore is how many processes that do nothing but compute each core gets.
const busyPerCore = 2

// saturate keeps all cores busy for a while and counts how often the addresses of the
// contenders moved, side by side.
func saturate(contenders []contender, most time.Duration) error {
	var pairs [][2]*process
	for _, c := range contenders {
		b, err := newBed()
		if err != nil {
			return err
		}
		defer b.close()
		b.nice = c.nice
		var pair [2]*process
		for host := range pair {
			if pair[host], err = c.program(b, host); err != nil {
				return err
			}
		}
		for range 1500 {
			if b.Has(0, viptest.VIP4) && !b.Has(1, viptest.VIP4) {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		if b.Has(1, viptest.VIP4) || !b.Has(0, viptest.VIP4) {
			return fmt.Errorf("%s at %v does not settle\nhost 0: %s\nhost 1: %s", c.name, c.advert, &pair[0].log, &pair[1].log)
		}
		pairs = append(pairs, pair)
	}
	time.Sleep(2 * time.Second)
	for range busyPerCore * runtime.NumCPU() {
		cmd := exec.Command("sh", "-c", "while :; do :; done")
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL} // as services of their own
		if err := cmd.Start(); err != nil {
			return err
		}
		defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	}
	fmt.Fprintf(os.Stderr, "%d processes compute on %d cores for %v\n", busyPerCore*runtime.NumCPU(), runtime.NumCPU(), most)
	begun := time.Now()
	for left := most; left > 0; left = most - time.Since(begun) {
		time.Sleep(min(left, time.Minute))
		fmt.Fprintf(os.Stderr, "%v\n", time.Since(begun).Round(time.Second))
	}
	fmt.Printf("| | adverts | niceness | moves in %v with %d busy processes on %d cores |\n|---|--:|--:|--:|\n", most,
		busyPerCore*runtime.NumCPU(), runtime.NumCPU())
	for i, c := range contenders {
		moves := 0
		for _, p := range pairs[i] {
			p.kill()
			moves += took(p.log.String())
		}
		fmt.Printf("| %s | %v | %s | %d |\n", c.name, c.advert, c.nice, moves-1) // the first is how it began
	}
	return nil
}

// took is how often a router says that it took the address.
func took(log string) int {
	return strings.Count(log, "to=active") + strings.Count(log, "Entering MASTER STATE")
}
