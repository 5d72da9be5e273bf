package wire

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"net"
	"net/netip"
	"testing"
)

// realHello is what Go's client sends first.
func realHello(t testing.TB) []byte {
	a, b := net.Pipe()
	defer a.Close()
	go func() {
		_ = tls.Client(b, &tls.Config{ServerName: "api.example", NextProtos: []string{"h2"}}).Handshake()
	}()
	text := make([]byte, 4096)
	n, err := a.Read(text)
	if err != nil {
		t.Fatal(err)
	}
	return text[:n]
}

// split puts a ClientHello into records of at most size bytes.
func split(hello []byte, size int) []byte {
	var out []byte
	for body := hello[recordHeader:]; len(body) > 0; {
		n := min(size, len(body))
		out = append(out, typeHandshake, 3, 1)
		out = binary.BigEndian.AppendUint16(out, uint16(n))
		out = append(out, body[:n]...)
		body = body[n:]
	}
	return out
}

func TestHelloInPieces(t *testing.T) {
	whole := realHello(t)
	for _, hello := range [][]byte{whole, split(whole, 64), split(whole, 500), split(whole, 4)} {
		for n := range hello {
			if v := Hello(hello[:n]); v != More {
				t.Fatalf("%d of %d bytes: %v", n, len(hello), v)
			}
		}
		if v := Hello(hello); v != Whole {
			t.Errorf("all %d bytes: %v", len(hello), v)
		}
		if v := Hello(append(bytes.Clone(hello), 0x17, 3, 3)); v != Other {
			t.Errorf("with early data: %v", v)
		}
	}
}

func TestOtherStarts(t *testing.T) {
	long := []byte{typeHandshake, 3, 1, 0x40, 0, clientHello, 0, 0x40, 1}
	for name, b := range map[string][]byte{
		"HTTP": []byte("GET / HTTP/1.1\r\n"), "SSH": []byte("SSH-2.0-x\r\n"), "alert": {0x15, 3, 1, 0, 2},
		"ServerHello": {typeHandshake, 3, 1, 0, 60, 2}, "empty record": {typeHandshake, 3, 1, 0, 0},
		"record too long": {typeHandshake, 3, 1, 0x40, 1}, "hello over 16 KiB": long, "version": {typeHandshake, 2},
	} {
		if v := Hello(b); v != Other {
			t.Errorf("%s: %v", name, v)
		}
	}
	if v := Hello(nil); v != More {
		t.Errorf("nothing: %v", v)
	}
}

func TestLongestHelloIsHeld(t *testing.T) {
	message := make([]byte, maxHelloBytes)
	message[0] = clientHello
	message[2], message[3] = byte((len(message)-4)>>8), byte(len(message)-4)
	text := split(append(make([]byte, recordHeader), message...), 4096)
	if v := Hello(text); v != Whole {
		t.Errorf("%v", v)
	}
}

// FuzzHello: more bytes never take a verdict back, and nothing is held beyond
// the limit.
func FuzzHello(f *testing.F) {
	f.Add(realHello(f))
	f.Add([]byte("GET /"))
	f.Fuzz(func(t *testing.T, b []byte) {
		v := Hello(b)
		if v == More && len(b) >= MaxHello+maxRecord {
			t.Fatalf("%d bytes are held", len(b))
		}
		if len(b) > 0 {
			if before := Hello(b[:len(b)-1]); before == Other && v != Other || before == Whole && v != Other {
				t.Fatalf("%v, and with one byte more %v", before, v)
			}
		}
	})
}

func TestProxyHeader(t *testing.T) {
	for _, c := range []struct{ from, to, want string }{
		{"192.0.2.1:1000", "192.0.2.2:443", "0d0a0d0a000d0a515549540a" + "2111000c" + "c0000201c0000202" + "03e801bb"},
		{"[::ffff:192.0.2.1]:1000", "192.0.2.2:443", "0d0a0d0a000d0a515549540a" + "2111000c" + "c0000201c0000202" + "03e801bb"},
		{"[2001:db8::1]:1", "[2001:db8::2]:2", "0d0a0d0a000d0a515549540a" + "21210024" +
			"20010db8000000000000000000000001" + "20010db8000000000000000000000002" + "00010002"},
	} {
		got := ProxyHeader(nil, netip.MustParseAddrPort(c.from), netip.MustParseAddrPort(c.to))
		if hex.EncodeToString(got) != c.want {
			t.Errorf("%s: %x", c.from, got)
		}
		if len(got) > MaxProxyHeader {
			t.Errorf("%d bytes", len(got))
		}
	}
}
