// Package wire knows the two formats that the balancer must read or write
// itself: the framing of a TLS ClientHello, and PROXY protocol version 2.
//
// It never looks into the ClientHello, and does no I/O.
package wire

import "encoding/binary"

const (
	recordHeader     = 5
	handshakeHeader  = 4
	typeHandshake    = 0x16
	clientHello      = 1
	maxRecord        = 1 << 14 // RFC 8446, 5.1
	maxHelloBytes    = 1 << 14
	smallestFragment = 64
)

// MaxHello is the longest start of a connection that is held back, in bytes:
// 16 KiB of ClientHello and the headers of the records that it comes in.
const MaxHello = maxHelloBytes + recordHeader*(maxHelloBytes/smallestFragment)

// Verdict on the first bytes of a connection.
type Verdict int

const (
	// More: a ClientHello so far, not yet whole.
	More Verdict = iota
	// Whole: exactly a ClientHello, which may be sent again to another server.
	Whole
	// Other: something else, or too long. It must be passed on at once, and to
	// one server only.
	Other
)

// Hello judges the first bytes that a client sent. A ClientHello may come in
// several handshake records (RFC 8446, 5.1); bytes that follow it (early data)
// make the start impossible to repeat, so they are Other.
func Hello(b []byte) Verdict {
	var message, need int // bytes of the handshake message seen, and in all
	for rest := b; ; {
		if len(rest) == 0 {
			return More
		}
		if rest[0] != typeHandshake {
			return Other
		}
		if len(rest) > 1 && rest[1] != 3 {
			return Other
		}
		if len(rest) < recordHeader {
			return More
		}
		size := int(binary.BigEndian.Uint16(rest[3:]))
		if size == 0 || size > maxRecord {
			return Other
		}
		body := rest[recordHeader:]
		whole := len(body) >= size
		body = body[:min(size, len(body))]
		if message == 0 && len(body) > 0 {
			// The header is not split in practice; a client that does is not
			// worth holding back.
			if body[0] != clientHello || size < handshakeHeader {
				return Other
			}
			if len(body) < handshakeHeader {
				return More
			}
			need = handshakeHeader + int(body[1])<<16 + int(body[2])<<8 + int(body[3])
			if need > maxHelloBytes {
				return Other
			}
		}
		message += len(body)
		switch {
		case !whole && len(b) >= MaxHello:
			return Other
		case !whole:
			return More
		case message > need:
			return Other
		case message == need && len(rest) > recordHeader+size:
			return Other
		case message == need:
			return Whole
		case len(b) >= MaxHello:
			return Other
		}
		rest = rest[recordHeader+size:]
	}
}
