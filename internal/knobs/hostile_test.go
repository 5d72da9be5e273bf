package knobs

import (
	"fmt"
	"strings"
	"testing"
)

// Whatever a text holds, reading it ends, and an edit to what was found changes no
// byte; one to something else changes that flag and no other, or is refused.
func FuzzUnitText(f *testing.F) {
	f.Add(procedureE, "ETCD_A=1\nB='x y'\n")
	f.Add("[Service]\nExecStart=/a $B --c=${B} --d \\\n# x\n \"--e=1\" --e 2\n", "B=\"--f=\\\"1\\\" \\\n--g='2'\"\n")
	f.Add("[Service]\nExecStart=/a\nExecStart=\nExecStart=-/b '--x=%%' $$y\n", "")
	f.Fuzz(func(t *testing.T, text, env string) {
		u, err := ReadUnitEnv("ETCD_", []File{{"u", text}}, File{"e", env})
		if err != nil {
			return
		}
		for _, name := range u.Flags().Names() {
			same, err := u.Set(name, u.Flags().Get(name)...)
			if err != nil || fmt.Sprint(same.Files()) != fmt.Sprint(u.Files()) {
				t.Fatalf("--%s as found: %v", name, err)
			}
			changed, err := u.Set(name, "other")
			if err != nil {
				continue
			}
			again, err := ReadUnitEnv("ETCD_", changed.Files()[:1], changed.Files()[1])
			if err != nil || again.Flags().One(name) != "other" || !again.Flags().without(name).equalTo(u.Flags().without(name)) {
				t.Fatalf("--%s: %v\n%q\n%q", name, err, u.Files(), changed.Files())
			}
		}
	})
}

func FuzzYAML(f *testing.F) {
	f.Add(admin)
	f.Add(gen{}.fixedPod())
	f.Fuzz(func(t *testing.T, text string) {
		if k, err := ReadKubeconfig(text); err == nil {
			if same, err := k.Set(Server, k.Get(Server)); err == nil && same.Text() != text {
				t.Fatalf("%q became %q", text, same.Text())
			}
			if got, err := k.Set(Server, "https://x:1"); err == nil && got.Get(Server) != "https://x:1" {
				t.Fatalf("%q became %q", text, got.Text())
			}
		}
		p, err := ReadPod(text)
		if err != nil {
			return
		}
		for _, name := range p.Flags().Names() {
			if same, err := p.Set(name, p.Flags().Get(name)...); err != nil || same.Text() != text {
				t.Fatalf("--%s as found: %v", name, err)
			}
			if got, err := p.Set(name, "other"); err == nil && got.Flags().One(name) != "other" {
				t.Fatalf("--%s: %q", name, got.Text())
			}
		}
	})
}

func (gen) fixedPod() string {
	return "kind: Pod\nspec:\n  containers:\n  - command: [\"x\", '--a=1', --b=2]\n    args:\n    - --c\n    - |\n      --d=3\n"
}

func FuzzBalancer(f *testing.F) {
	f.Add("stream { upstream a { server 10.0.0.1:1 down; server \"b:1\" x; } }\n")
	f.Add("backend k\n server a 1:1 disabled # x\n server b 2:1\n")
	f.Fuzz(func(t *testing.T, text string) {
		b, err := ReadBalancer(text)
		if err != nil {
			return
		}
		for _, p := range b.Pools() {
			for _, s := range p.Servers {
				if !strings.Contains(text[s.From:s.To], "server") && !strings.ContainsAny(text[s.From:s.To], `"'\`) {
					t.Fatalf("the server stands at %q", text[s.From:s.To])
				}
				if down, err := b.Down(p.Name, s.Address); err == nil && s.Down && down.Text() != text {
					t.Fatalf("%q became %q", text, down.Text())
				}
				b.Up(p.Name, s.Address)
				b.Remove(p.Name, s.Address)
				b.Add(p.Name, "new", "10.9.9.9:1")
			}
		}
	})
}
