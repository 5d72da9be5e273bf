package lblint

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var three = Known{Addresses: map[string]string{"cp1": "192.0.2.11", "cp2": "192.0.2.12", "cp3": "192.0.2.13"}, Port: "6443"}

// TestGolden compares what is found in whole files, made from guides that people
// follow, with what is known to be wrong in them. WRITE=1 writes it anew.
func TestGolden(t *testing.T) {
	files, _ := filepath.Glob("testdata/*.c*f*")
	if len(files) == 0 {
		t.Fatal("no files to judge")
	}
	for _, name := range files {
		if strings.HasSuffix(name, ".golden") {
			continue
		}
		t.Run(filepath.Base(name), func(t *testing.T) {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			f, err := Lint(filepath.Base(name), text, three)
			if err != nil {
				t.Fatal(err)
			}
			got := Report{Files: []File{f}}.Text()
			if os.Getenv("WRITE") != "" {
				if err := os.WriteFile(name+".golden", []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(name + ".golden")
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

func TestLint(t *testing.T) {
	for name, c := range map[string]struct{ text, says string }{
		"no configuration": {"hello: world\n", "it is no configuration"},
		"empty":            {"", "it is no configuration"},
		"open block":       {"stream {\n upstream a { server x; }\n", "line 1: the block that begins here does not end"},
		"brace too many":   {"events {}\n}\n", "line 2: } without {"},
		"too deep":         {"stream " + strings.Repeat("{ a ", 40), "nested more than 32 deep"},
		"http proxy":       {"http { upstream a { server 192.0.2.11:6443; } }", "it ends TLS"},
		"include":          {"events {}\nstream { include stream.d/*.conf; }", "files too: stream.d/*.conf"},
		"included file": {"upstream a { server 192.0.2.11:6443; }\nserver { proxy_pass a; proxy_timeout 5m; }",
			":2: proxy_timeout: connections that are idle for 5m0s"},
		"direct proxy_pass": {"stream { server { listen 1; proxy_pass 192.0.2.1:6443; } }", "192.0.2.1 is no control plane"},
		"quoted brace": {"stream { log_format a 'x { y'; server { proxy_pass 192.0.2.11:6443; proxy_protocol on; } }",
			"API servers do not understand it"},
		"haproxy http":        {"listen a\n mode http\n server x 192.0.2.11:6443\n", ":2: mode http"},
		"haproxy plain check": {"listen a\n option httpchk GET /readyz\n server x 192.0.2.11:6443 check\n", ":2: the checks are plain HTTP"},
		"haproxy path": {"listen a\n option httpchk\n http-check send meth GET uri /livez\n server x 192.0.2.11:6443 check check-ssl\n",
			`ask for "/livez"`},
		"haproxy no check": {"listen a\n server x 192.0.2.11:6443\n", "x is not checked"},
		"haproxy, not the last resort": {"frontend a\n use_backend b if { nbsrv(c) lt 1 }\n default_backend b\n" +
			"backend b\n server x 192.0.2.11:6443\n", "x is not checked"},
		"haproxy short server": {"listen a\n server x\n server y 192.0.2.11:6443\n", "y is not checked"},
		"haproxy wrong port":   {"listen a\n server x 192.0.2.11:443 check\n server y 192.0.2.12:6443\n", "listens on port 6443, not 443"},
		"haproxy names": {"listen a\n server x cp1:6443 check\n server y cp9.example:6443 check\n",
			"whether cp9.example is a control plane is not known"},
		"keepalived alone":      {"global_defs {\n}\n", "no vrrp_instance"},
		"keepalived no address": {"vrrp_instance a {\n interface eth0\n virtual_router_id 1\n}\n", "no virtual_ipaddress"},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := Lint("f", []byte(c.text), three)
			got := Report{Files: []File{f}}.Text() + fmt.Sprint(err)
			if !strings.Contains(got, c.says) {
				t.Errorf("it does not say %q:\n%s", c.says, got)
			}
		})
	}
}

// TestUnknown: without a cluster only what stands in the file is judged.
func TestUnknown(t *testing.T) {
	f, err := Lint("f", []byte("stream { server { proxy_pass 192.0.2.1:6443; proxy_connect_timeout 1s; } }"), Known{})
	if err != nil || len(f.Findings) != 1 || !strings.Contains(f.Findings[0].Problem, "nothing checks") {
		t.Errorf("%+v %v", f, err)
	}
}

func TestMentions(t *testing.T) {
	for _, c := range []struct {
		text, address string
		want          bool
	}{
		{"curl https://192.0.2.1:6443/", "192.0.2.1", true},
		{"curl https://192.0.2.10:6443/", "192.0.2.1", false},
		{"curl https://10.192.0.2.1 192.0.2.1", "192.0.2.1", true},
		{"curl https://[fd00::1]:6443/", "fd00::1", true},
		{"curl https://[fd00::12]:6443/", "fd00::1", false},
	} {
		if got := mentions(c.text, c.address); got != c.want {
			t.Errorf("%q in %q: %v", c.address, c.text, got)
		}
	}
}

// FuzzLint: no text makes it panic or run without end, and every place is one
// of the text.
func FuzzLint(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.c*f*")
	for _, name := range files {
		if text, err := os.ReadFile(name); err == nil {
			f.Add(text)
		}
	}
	f.Add([]byte("listen a\n server x\n"))
	f.Add([]byte("stream { server { proxy_pass"))
	f.Fuzz(func(t *testing.T, text []byte) {
		file, err := Lint("f", text, three)
		lines := strings.Count(string(text), "\n") + 1
		for _, one := range file.Findings {
			if one.Line < 0 || one.Line > lines || one.Problem == "" || one.Fix == "" {
				t.Fatalf("%+v in %d lines (%v)", one, lines, err)
			}
		}
	})
}
