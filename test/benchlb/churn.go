package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// warm is how many connections fill pools and heap before growth counts.
	warm = 100000
	// Growth that is allowed from then to the end.
	moreMemory      = 6 << 20
	moreDescriptors = 40
)

// churn opens connections through quorate-lb, of each of which one byte goes
// through, half of them reset and half closed in order.
func churn(o options) error {
	o.only = []string{"ours"}
	b, err := newBed(o)
	if err != nil {
		return err
	}
	defer b.close()
	t := b.targets[0]
	begun := time.Now()
	var all atomic.Int64
	run := func(n int) error {
		var wg sync.WaitGroup
		var failed atomic.Value
		left := int64(n)
		for range 16 {
			wg.Go(func() {
				for atomic.AddInt64(&left, -1) >= 0 && failed.Load() == nil {
					if err := once(t.address, all.Add(1)%2 == 0); err != nil {
						failed.Store(err)
					}
				}
			})
		}
		wg.Wait()
		err, _ := failed.Load().(error)
		return err
	}
	look := func() (float64, int) {
		time.Sleep(3 * time.Second) // what was closed is being put away
		m, d := memory(t.pid), descriptors(t.pid)
		fmt.Fprintf(os.Stderr, "%8d connections, %6.0f s: %.1f MiB, %d descriptors\n", all.Load(), time.Since(begun).Seconds(), m/(1<<20), d)
		return m, d
	}
	look()
	if err := run(min(warm, o.churn)); err != nil {
		return err
	}
	memoryThen, descriptorsThen := look()
	for all.Load() < int64(o.churn) {
		if err := run(min(200000, o.churn-int(all.Load()))); err != nil {
			return err
		}
		look()
	}
	m, d := look()
	switch {
	case m > memoryThen+moreMemory:
		return fmt.Errorf("memory grew from %.1f to %.1f MiB", memoryThen/(1<<20), m/(1<<20))
	case d > descriptorsThen+moreDescriptors:
		return fmt.Errorf("descriptors grew from %d to %d", descriptorsThen, d)
	}
	fmt.Printf("%d connections in %.0f s, %.1f → %.1f MiB, %d → %d descriptors\n",
		all.Load(), time.Since(begun).Seconds(), memoryThen/(1<<20), m/(1<<20), descriptorsThen, d)
	return nil
}

func once(address string, reset bool) error {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	if reset {
		_ = c.(*net.TCPConn).SetLinger(0)
	}
	if _, err := c.Write([]byte{'E'}); err != nil {
		return err
	}
	_, err = io.ReadFull(c, make([]byte, 1))
	return err
}
