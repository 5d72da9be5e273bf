// Package lab makes test hosts on this machine: systemd-nspawn containers with
// systemd and sshd inside, side by side on a bridge of their own, that a
// cluster file can name like any other machine. It makes, stops, cuts off and
// removes hosts, and takes everything it added to the machine away again.
//
// It knows nothing of Kubernetes: what runs on the hosts is the business of
// whoever logs in. It never touches a machine's own firewall, routes or
// services, and no packet of a lab host leaves the machine.
//
// A lab's traces, all derived from its name and its subnet number N: the state
// folder /var/lib/quorate-lab/NAME, the bridge qlabN, the links vb-qN-HOST, the
// control groups quorate-lab-qN-HOST, the mounts below the state folder and the
// nftables tables quorate-lab-NAME. [Clean] finds them again after a crash.
package lab
