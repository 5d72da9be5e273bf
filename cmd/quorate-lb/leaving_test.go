package main

import (
	"fmt"
	"os"
	"testing"
	"time"
)

// TestLeaving: a backend leaves for a while, and comes back by itself.
func TestLeaving(t *testing.T) {
	p := start(t)
	c, err := p.dial()
	if err != nil {
		t.Fatal(err)
	}
	who, err := c.who()
	if err != nil {
		t.Fatal(err)
	}
	line := fmt.Sprintf("no such line\napi %s %d\n", who, time.Now().Add(time.Hour).Unix())
	if err := os.WriteFile(p.path+".leaving", []byte(line), 0o600); err != nil {
		t.Fatal(err)
	}
	p.until("its connection is closed", func() bool { _, err := c.who(); return err != nil })
	for range 10 {
		c, err := p.dial()
		if err != nil {
			t.Fatal(err)
		}
		if name, err := c.who(); err != nil || name == who {
			t.Errorf("a new connection leads to %s, which leaves: %v", name, err)
		}
		c.Close()
	}
	if err := os.WriteFile(p.path+".leaving", fmt.Appendf(nil, "api %s %d\n", who, time.Now().Unix()), 0o600); err != nil {
		t.Fatal(err)
	}
	p.until("it is used again when its time is over", func() bool {
		c, err := p.dial()
		if err != nil {
			return false
		}
		defer c.Close()
		name, err := c.who()
		return err == nil && name == who
	})
}
