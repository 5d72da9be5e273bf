package knobs

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// The generated texts are made of a value that is written in one place, so that
// what an edit must give is known to the byte: the text made of the other value.

type gen struct{ *rand.Rand }

func (g gen) pick(of ...string) string { return of[g.IntN(len(of))] }

func (g gen) maybe(s string) string { return g.pick("", s) }

var flagValues = []string{"10.0.0.11", "https://10.0.0.11:2379,https://10.0.0.12:2379", "/etc/kubernetes/cert/kubernetes.pem", "2",
	"cp1=https://10.0.0.11:2380", "Node,RBAC", "api/all=true", "X-Remote-Extra-", ""}

// line is one flag in a way to write it; %s is its value.
func (g gen) line(name string) string {
	return g.pick("--"+name+"=%s", "--"+name+"=%s", "-"+name+"=%s", "--"+name+`="%s"`, `"--`+name+`=%s"`, "--"+name+`='%s'`)
}

// unitOf writes a unit around a flag, in one of its places, and gives the text
// for a value of it.
func (g gen) unitOf(name string) func(value string) []File {
	between := g.pick(" ", "  ", " \\\n  ", " \\\n\t", " \\\n    ")
	comment := ""
	if strings.Contains(between, "\n") {
		comment = g.maybe(" \\\n# --" + name + "=old is a comment")
	}
	var before, after []string
	for i := range g.IntN(5) {
		before = append(before, fmt.Sprintf(g.line(fmt.Sprint("before-", i)), g.pick(flagValues...)))
	}
	for i := range g.IntN(5) {
		after = append(after, fmt.Sprintf(g.line(fmt.Sprint("after-", i)), g.pick(flagValues...)))
	}
	form := g.line(name)
	where := g.pick("unit", "variable", "options", "environment", "drop-in", "separate")
	head := g.pick("", "# made by hand\n\n") + "[Unit]\nDescription=Kubernetes API Server; =x\nAfter=network.target\n\n[Service]\n" +
		g.maybe("User=root\n") + g.maybe("ExecStartPre=/bin/mkdir -p \\\n  /x\n") + g.maybe("Type=notify\n")
	tail := g.maybe("\n") + "Restart=on-failure\n" + g.maybe("LimitNOFILE=65536\n") + "\n[Install]\nWantedBy=multi-user.target\n"
	quote := g.pick("", `"`, `'`)
	return func(value string) []File {
		flag, env, extra, dropIn := fmt.Sprintf(form, value), "", "", false
		switch where {
		case "variable":
			flag, env = "--"+name+"=${ITS_VALUE}", "# a comment\nOTHER=1\nITS_VALUE="+quote+value+quote+"\n"
		case "options":
			flag, env = "$KUBE_OPTS", "KUBE_OPTS=\"--first=1 \\\n --"+name+"="+value+" --last=2\"\n"
		case "environment":
			flag, extra = "--"+name+"=${ITS_VALUE}", "Environment=A=b \"ITS_VALUE="+value+"\"\n"
		case "separate":
			flag = "--" + name + " " + value
			if value == "" {
				flag = "--" + name + ` ""`
			}
		case "drop-in":
			dropIn = true
		}
		words := append([]string{"/opt/k8s/bin/kube-apiserver"}, before...)
		words = append(words, flag)
		exec := "ExecStart=" + strings.Join(words, between) + comment + between + strings.Join(append(after, "--v=2"), between) + "\n"
		if dropIn {
			return []File{{"a.service", head + "ExecStart=/bin/old --" + name + "=old\n" + tail}, {"b.conf", "[Service]\nExecStart=\n" + exec}}
		}
		unit := File{"a.service", head + extra + exec + tail}
		if env == "" {
			return []File{unit}
		}
		return []File{unit, {"a.env", env}}
	}
}

func readGenerated(files []File) (Unit, error) {
	units := 0
	for _, f := range files {
		if !strings.HasSuffix(f.Path, ".env") {
			units++
		}
	}
	return ReadUnit(files[:units], files[units:]...)
}

func FuzzUnitProperty(f *testing.F) {
	for seed := range uint64(400) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		g := gen{rand.New(rand.NewPCG(seed, 1))}
		text := g.unitOf("etcd-servers")
		old, value := g.pick(flagValues...), g.pick(flagValues...)
		found := text(old)
		u, err := readGenerated(found)
		if err != nil {
			t.Fatalf("%v\n%s", err, found)
		}
		if got := u.Flags().One("etcd-servers"); got != old {
			t.Fatalf("it reads %q, want %q, in\n%s", got, old, found)
		}
		for _, name := range u.Flags().Names() {
			same, err := u.Set(name, u.Flags().Get(name)...)
			if err != nil || fmt.Sprint(same.Files()) != fmt.Sprint(found) {
				t.Fatalf("--%s as found: %v\n%s", name, err, same.Files())
			}
		}
		changed, err := u.Set("etcd-servers", value)
		if err != nil {
			t.Fatalf("%v\n%s", err, found)
		}
		if got, want := fmt.Sprint(changed.Files()), fmt.Sprint(text(value)); got != want {
			if old == "" || value == "" { // quotes may come or go
				return
			}
			t.Fatalf("from %q to %q:\n%s\nwant\n%s", old, value, got, want)
		}
		removed, err := changed.Set("etcd-servers")
		if err == nil && removed.Flags().Has("etcd-servers") {
			t.Fatalf("not removed:\n%s", removed.Files())
		}
		added, err := changed.Set("new-flag", "a", "b")
		if err != nil || fmt.Sprint(added.Flags().Get("new-flag")) != "[a b]" {
			t.Fatalf("%v: not added:\n%s", err, added.Files())
		}
	})
}

func (g gen) podOf(name string) func(value string) string {
	form := g.pick("    - --"+name+"=%s\n", "    - \"--"+name+"=%s\"\n", "    - '--"+name+"=%s' # why\n")
	before := g.pick("", "    - --v=2\n    # a comment\n", "    - --a=é\n    - \"--b=\\\"x\\\"\"\n")
	after := g.pick("", "    - --profiling\n", "    - --z=1\n    - --z=2\n")
	flow := g.IntN(4) == 0
	return func(value string) string {
		command := "    command:\n    - kube-apiserver\n" + before + fmt.Sprintf(form, value) + after
		if flow {
			command = "    command: [kube-apiserver, --v=2, \"--" + name + "=" + value + "\", --z=1]\n"
		}
		return "# kept: é\napiVersion: v1\nkind: Pod\nmetadata:\n  name: kube-apiserver\nspec:\n  containers:\n  - name: kube-apiserver\n" +
			command +
			"    image: registry.k8s.io/kube-apiserver:v1.36.3 # pinned\n    volumeMounts: [{name: a, mountPath: /a}]\n  volumes:\n" +
			"  - {name: a, hostPath: {path: /a}}\n"
	}
}

func FuzzPodProperty(f *testing.F) {
	for seed := range uint64(200) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		g := gen{rand.New(rand.NewPCG(seed, 2))}
		text := g.podOf("etcd-servers")
		old, value := g.pick(flagValues...), g.pick(flagValues...)
		p, err := ReadPod(text(old))
		if err != nil {
			t.Fatalf("%v\n%s", err, text(old))
		}
		for _, name := range p.Flags().Names() {
			if same, err := p.Set(name, p.Flags().Get(name)...); err != nil || same.Text() != text(old) {
				t.Fatalf("--%s as found: %v\n%s", name, err, same.Text())
			}
		}
		changed, err := p.Set("etcd-servers", value)
		if err != nil || changed.Text() != text(value) {
			t.Fatalf("%v\n%s\nwant\n%s", err, changed.Text(), text(value))
		}
		if changed, err = changed.SetImage("r/kube-apiserver:v1.36.4"); err != nil ||
			changed.Text() != strings.Replace(text(value), "registry.k8s.io/kube-apiserver:v1.36.3", "r/kube-apiserver:v1.36.4", 1) {
			t.Fatalf("%v\n%s", err, changed.Text())
		}
		added, err := changed.Set("new-flag", "10.0.0.1:1", "b")
		if err != nil || fmt.Sprint(added.Flags().Get("new-flag")) != "[10.0.0.1:1 b]" {
			t.Fatalf("%v: not added:\n%s", err, added.Text())
		}
		removed, err := added.Set("new-flag")
		if err != nil || removed.Text() != changed.Text() {
			t.Fatalf("%v: not removed:\n%s", err, removed.Text())
		}
	})
}

func (g gen) balancerOf() func(states ...string) string {
	haproxy := g.IntN(2) == 0
	params := g.pick("", " max_fails=3 fail_timeout=30s")
	comment := g.maybe(" # why")
	if haproxy {
		params = g.pick("", " check inter 10s", " check check-ssl verify none")
	}
	pad := g.pick("    ", "\t", "      ")
	return func(states ...string) string {
		var b strings.Builder
		b.WriteString("worker_processes 1;\nevents {}\n# comment {\nstream {\n  upstream other { server 10.9.9.9:80; }\n" +
			"  upstream apiserver {\n" +
			pad + "hash $remote_addr consistent;\n")
		if haproxy {
			b.Reset()
			b.WriteString("global\n  maxconn 100\ndefaults\n  mode tcp\nbackend other\n  server x 10.9.9.9:80\n" +
				"backend apiserver # c\n  balance roundrobin\n")
		}
		for i, s := range states {
			switch {
			case s == "gone":
			case haproxy:
				fmt.Fprintf(&b, "%sserver cp%d 10.0.0.1%d:6443%s%s%s\n", pad, i, i, params, strings.Replace(s, "down", " disabled", 1), comment)
			default:
				fmt.Fprintf(&b, "%sserver 10.0.0.1%d:6443%s%s;%s\n", pad, i, params, strings.Replace(s, "down", " down", 1), comment)
			}
		}
		if haproxy {
			return b.String() + "frontend f\n  bind *:8443\n  default_backend apiserver\n"
		}
		return b.String() + "  }\n  server { listen 8443; proxy_pass apiserver; }\n}\n"
	}
}

func FuzzBalancerProperty(f *testing.F) {
	for seed := range uint64(100) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		g := gen{rand.New(rand.NewPCG(seed, 3))}
		text := g.balancerOf()
		b, err := ReadBalancer(text("", "", ""))
		if err != nil {
			t.Fatal(err)
		}
		check := func(what, want string) func(Balancer, error) {
			return func(got Balancer, err error) {
				t.Helper()
				if err != nil || got.Text() != want {
					t.Fatalf("%s: %v\n%s\nwant\n%s", what, err, got.Text(), want)
				}
				b = got
			}
		}
		check("up", text("", "", ""))(b.Up("apiserver", "10.0.0.11:6443"))
		check("add", text("", "", ""))(b.Add("apiserver", "cp1", "10.0.0.11:6443"))
		check("down", text("", "down", ""))(b.Down("apiserver", "10.0.0.11:6443"))
		check("down again", text("", "down", ""))(b.Down("apiserver", "10.0.0.11:6443"))
		check("up again", text("", "", ""))(b.Up("apiserver", "10.0.0.11:6443"))
		if strings.Contains(text("", "", ""), "# why") {
			return // a comment at a server's end stays when the server goes
		}
		check("remove", text("", "", "gone"))(b.Remove("apiserver", "10.0.0.12:6443"))
		check("add again", text("", "", ""))(b.Add("apiserver", "cp2", "10.0.0.12:6443"))
	})
}
