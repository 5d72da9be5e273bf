package internal_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"quorate.dev/quorate/internal/layout"
	"quorate.dev/quorate/internal/model"
)

// knowPaths are the packages that may name a path or a unit of a component:
// where it lies, how it runs, and the hosts that tests run on.
var knowPaths = []string{"internal/layout", "internal/workload", "internal/lab"}

// osPaths are the operating system's own, the same whoever runs the cluster.
var osPaths = []string{
	"/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin", // programs of the distribution
	"/dev", "/proc", "/sys",
	"/etc/fstab", "/etc/machine-id", "/etc/os-release", "/etc/resolv.conf",
	"/etc/hosts", "/etc/.quorate-hosts", // the second is renamed over the first
	"/etc/nsswitch.conf", "/run/nscd", // how names are looked up
	"/etc/ssh", "/etc/sudoers.d",
	"/etc/passwd", "/etc/default", "/etc/sysconfig", "/etc/environment", "/etc/profile.d",
	"/etc/crontab", "/etc/cron.d", "/etc/cron.hourly", "/etc/cron.daily", "/etc/cron.weekly", "/etc/cron.monthly", "/var/spool/cron",
	"/etc/nginx", "/etc/haproxy", "/etc/keepalived", // where distributions have them
	"/run/netns", "/run/systemd",
	"/var/lib/docker",                            // a neighbour that may share the container runtime
	"/var/run/crio", "/var/run/cri-dockerd.sock", // other runtimes
	"/etc/coredns", "/etc/kubernetes-ca", // inside a pod
	"/etc/quorate/lb.yaml", // the default of the balancer's own flag
	"/run/quorate-lb/leaving",
}

var (
	anyPath = regexp.MustCompile(`(?:^|[^\w.$)}*])(/(?:etc|var|run|opt|usr|srv|s?bin|lib(?:64)?|proc|sys|dev|tmp)(?:/[\w.@%+-]+)+)\b`)
	anyUnit = unitNames()
	// variable is how a script names what a layout gives.
	variable = regexp.MustCompile(`\b(?:AT|PORT|UNIT|USER)_[A-Z_]+\b`)
)

// unitNames finds units of components: by their whole name, and those that are
// called like no component or program, by the name alone.
func unitNames() *regexp.Regexp {
	at := layout.Systemd()
	var whole, alone []string
	for c := range model.NumComponents {
		whole = append(whole, regexp.QuoteMeta(at.Service(c)))
		if at.Unit(c) != c.String() {
			alone = append(alone, regexp.QuoteMeta(at.Unit(c)))
		}
	}
	return regexp.MustCompile(`\b(?:` + strings.Join(slices.Concat(whole, alone), "|") + `)\b`)
}

// Where a component lies and what its unit is called is said in layout alone, so
// that a cluster which has it elsewhere needs another value and no other code.
func TestOnlyLayoutKnowsWhereThingsLie(t *testing.T) {
	seen, at := 0, layout.Systemd()
	for _, root := range []string{".", "../cmd"} {
		err := filepath.WalkDir(root, func(p string, e fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			in := filepath.ToSlash(filepath.Join("internal", p))
			if e.IsDir() && (slices.Contains(knowPaths, in) || e.Name() == "testdata") {
				return filepath.SkipDir
			}
			var texts map[string]string
			switch {
			case strings.HasSuffix(p, ".sh"):
				texts, err = scriptLines(p)
			case strings.HasSuffix(p, ".go") && !strings.HasSuffix(p, "_test.go"):
				texts, err = stringLiterals(p)
			}
			for where, text := range texts {
				seen++
				for _, name := range variable.FindAllString(text, -1) {
					if !strings.Contains("\n"+at.Script("$"+name), "\n"+name+"=") {
						t.Errorf("%s:%s uses $%s, which no layout gives", in, where, name)
					}
				}
				for _, bad := range located(text) {
					t.Errorf("%s:%s says %q; take it from layout.Layout (scripts: from the variables of Layout.Script)", in, where, bad)
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if seen < 1000 {
		t.Errorf("only %d texts were read: the search does not find the source", seen)
	}
}

// The search finds what it is for, and takes nothing else for it.
func TestLocated(t *testing.T) {
	for text, want := range map[string][]string{
		"cat /var/lib/etcd/member/x": {"/var/lib/etcd/member/x"},
		"--d=/etc/quorate":           {"/etc/quorate"}, "'/run/quorate/stage'": {"/run/quorate/stage"},
		"systemctl stop etcd.service": {"etcd.service"}, "journalctl -u kube-nginx": {"kube-nginx"},
		"$AT_BIN/etcdctl": nil, "${p%/*}/usr/x": nil, `"$base"/run.x`: nil, "/etc/hosts": nil, "ls /proc/1/cgroup": nil,
		"/etcdctl": nil, "a/etc/b": nil, "run etcd": nil, "/livez": nil,
	} {
		if got := located(text); !slices.Equal(got, want) {
			t.Errorf("in %q it finds %q, want %q", text, got, want)
		}
	}
}

// located are the paths and units of components in a text.
func located(text string) (out []string) {
	for _, m := range anyPath.FindAllStringSubmatch(text, -1) {
		if !slices.ContainsFunc(osPaths, func(p string) bool { return m[1] == p || strings.HasPrefix(m[1], p+"/") }) {
			out = append(out, m[1])
		}
	}
	return append(out, anyUnit.FindAllString(text, -1)...)
}

// stringLiterals are those of a Go file, by line.
func stringLiterals(p string) (map[string]string, error) {
	files, out := token.NewFileSet(), map[string]string{}
	f, err := parser.ParseFile(files, p, nil, 0)
	if err != nil {
		return nil, err
	}
	ast.Inspect(f, func(n ast.Node) bool {
		if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING {
			at := files.Position(l.Pos())
			if text, err := strconv.Unquote(l.Value); err == nil {
				out[fmt.Sprintf("%d:%d", at.Line, at.Column)] = text
			}
		}
		return true
	})
	return out, nil
}

// scriptLines are the lines of a shell script that are no comments.
func scriptLines(p string) (map[string]string, error) {
	text, err := os.ReadFile(p)
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for i, l := range strings.Split(string(text), "\n") {
		if !strings.HasPrefix(strings.TrimSpace(l), "#") {
			out[strconv.Itoa(i+1)] = l
		}
	}
	return out, nil
}
