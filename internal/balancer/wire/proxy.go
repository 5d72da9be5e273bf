package wire

import (
	"encoding/binary"
	"net/netip"
)

// MaxProxyHeader is the length of the longest header that ProxyHeader writes.
const MaxProxyHeader = 16 + 36

var signature = [12]byte{0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a}

// ProxyHeader appends a PROXY protocol version 2 header to b: a TCP connection
// from client to local, proxied on its behalf
// (https://www.haproxy.org/download/2.8/doc/proxy-protocol.txt, 2.2).
func ProxyHeader(b []byte, client, local netip.AddrPort) []byte {
	b = append(b, signature[:]...)
	from, to := client.Addr().Unmap(), local.Addr().Unmap()
	if from.Is4() && to.Is4() {
		f, t := from.As4(), to.As4()
		b = append(b, 0x21, 0x11, 0, 12)
		b = append(append(b, f[:]...), t[:]...)
	} else {
		f, t := from.As16(), to.As16()
		b = append(b, 0x21, 0x21, 0, 36)
		b = append(append(b, f[:]...), t[:]...)
	}
	b = binary.BigEndian.AppendUint16(b, client.Port())
	return binary.BigEndian.AppendUint16(b, local.Port())
}
