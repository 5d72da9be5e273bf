package main

import (
	"context"
	"fmt"
	"strings"
)

// fault is a way to break a host, and to bring it back.
type fault struct {
	name, title string
	begin, end  func(ctx context.Context, c *cluster, host string) error
}

// dropping drops packets of some ports in both directions, loopback excepted.
func dropping(ports string) (begin, end func(context.Context, *cluster, string) error) {
	match := "tcp dport { " + ports + " } drop; tcp sport { " + ports + " } drop;"
	begin = func(ctx context.Context, c *cluster, host string) error {
		_, err := c.exec(ctx, host, strings.NewReader("table inet faults { chain in { type filter hook input priority -300; iif lo accept; "+
			match+
			" }; chain out { type filter hook output priority -300; oif lo accept; "+match+" }; }\n"), "nft", "-f", "-")
		return err
	}
	end = func(ctx context.Context, c *cluster, host string) error {
		_, err := c.exec(ctx, host, nil, "nft", "delete", "table", "inet", "faults")
		return err
	}
	return begin, end
}

func lab(verb string, more ...string) func(context.Context, *cluster, string) error {
	return func(ctx context.Context, c *cluster, host string) error {
		_, err := c.command(ctx, nil, append([]string{c.quorate, "lab", verb, labName + "/" + host}, more...)...)
		return err
	}
}

// send goes by the program's name, since it may run in a static pod.
func send(signal, program string) func(context.Context, *cluster, string) error {
	return func(ctx context.Context, c *cluster, host string) error {
		_, err := c.exec(ctx, host, nil, "pkill", "-"+signal, "-x", program)
		return err
	}
}

func known() []fault {
	etcdDrop, etcdBack := dropping("2379, 2380")
	apiDrop, apiBack := dropping("6443")
	return []fault{
		{"cut", "all packets dropped", lab("cut"), lab("heal")},
		{"power", "powered off", lab("power-off", "--hard"), lab("power-on")},
		{"hang-apiserver", "API server hung", send("STOP", "kube-apiserver"), send("CONT", "kube-apiserver")},
		{"hang-etcd", "etcd hung", send("STOP", "etcd"), send("CONT", "etcd")},
		{"etcd-ports", "etcd's ports dropped", etcdDrop, etcdBack},
		{"api-port", "6443 dropped", apiDrop, apiBack},
	}
}

func faultNames() (out []string) {
	for _, f := range known() {
		out = append(out, f.name)
	}
	return out
}

func find(name string) (fault, error) {
	for _, f := range known() {
		if f.name == name {
			return f, nil
		}
	}
	return fault{}, fmt.Errorf("there is no fault %q; known are %s", name, strings.Join(faultNames(), ", "))
}
