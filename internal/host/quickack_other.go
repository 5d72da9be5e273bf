//go:build !linux

package host

import "net"

// quickAck has no effect where the system offers no such option.
func quickAck(net.Conn) func() { return func() {} }
