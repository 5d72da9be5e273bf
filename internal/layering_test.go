// Package internal_test checks the rules that hold between packages: who may
// import whom, who may print, and how long a file may be. It tests no
// behaviour.
package internal_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/scanner"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

const module = "quorate.dev/quorate/"

// rank orders the packages: each imports only those of a lower rank. A new
// package gets its rank here.
var rank = map[string]int{
	"internal/model": 0, "internal/localfile": 0, "internal/plain": 0, "internal/units": 0, "internal/version": 0,
	"internal/host": 2, "internal/host/hosttest": 3,
	"internal/topology": 1, "internal/layout": 1,
	"internal/plan": 1, "internal/prober": 1, "internal/kubeconfig": 1, "internal/lab": 1,
	"internal/lblint": 0, "internal/knobs": 1,
	"internal/workload": 3,
	"internal/pki":      3, "internal/spec": 3, "internal/artifact": 3,
	"internal/etcd": 4, "internal/kubeapi": 4, "internal/kubeadm": 1,
	"internal/component":               5,
	"internal/component/componenttest": 6,
	"internal/addon":                   6,
	"internal/goal":                    7,
	"internal/observe":                 8, "internal/step": 8,
	"internal/etcdadmin": 9, "internal/step/steptest": 9,
	"internal/engine": 9, "internal/status": 9, "internal/cis": 9, "internal/hostcheck": 9, "internal/refs": 9,
	"internal/adopt/units": 8, "internal/adopt": 9,
	"internal/cli": 10,
	"cmd/quorate":  11,

	"internal/balancer/config": 0, "internal/balancer/health": 0, "internal/balancer/wire": 0, "internal/balancer/relay": 0,
	"internal/balancer/notify": 0, "internal/balancer/vrrp": 0, "internal/balancer/vip": 1, "internal/balancer/viptest": 2, "internal/balancer/lbtest": 0,
	"internal/balancer/check": 1, "internal/balancer": 2, "internal/balancer/admin": 3, "cmd/quorate-lb": 4,
}

// pure packages see values only: of this module they import these, and nothing
// that reaches the world.
var pure = map[string][]string{"internal/model": nil, "internal/plan": {"internal/model"}}

var reaching = regexp.MustCompile(`^(os|net|syscall|log|plugin|unsafe|time|io/ioutil|embed)(/|$)|\.`)

type pkg struct {
	ImportPath, Name, Dir, Doc string
	Imports, GoFiles           []string
	TestGoFiles, XTestGoFiles  []string
}

func (p pkg) name() string { return strings.TrimPrefix(p.ImportPath, module) }

func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Name,Dir,Doc,Imports,GoFiles,TestGoFiles,XTestGoFiles", "./...")
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []pkg
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		if len(p.GoFiles) > 0 {
			all = append(all, p)
		}
	}
}

func TestImportsPointDownwards(t *testing.T) {
	for _, p := range packages(t) {
		if strings.HasPrefix(p.name(), "test/") {
			continue // tests of the whole stand above everything
		}
		own, ranked := rank[p.name()]
		if !ranked && p.Name == "main" {
			own, ranked = 1, true // a small program of some package's tests or builds
		}
		if !ranked {
			t.Errorf("%s has no rank; give it one in internal/layering_test.go", p.name())
		}
		for _, i := range p.Imports {
			to := strings.TrimPrefix(i, module)
			if r, ours := rank[to]; ours && r >= own {
				t.Errorf("%s imports %s, which is not below it", p.name(), to)
			}
			if p.name() != to && strings.HasPrefix(i, module) {
				if only, is := pure[p.name()]; is && !slices.Contains(only, to) {
					t.Errorf("%s imports %s; it may import %v", p.name(), to, only)
				}
			} else if _, is := pure[p.name()]; is && reaching.MatchString(i) {
				t.Errorf("%s imports %s, which reaches the world", p.name(), i)
			}
		}
	}
}

// TestHouseIsDrawn: the ranks, the packages and the table of
// docs/architecture.md name the same rooms.
func TestHouseIsDrawn(t *testing.T) {
	text, err := os.ReadFile("../docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	drawn := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| (\\d+) \\| `([a-z0-9/]+)` \\|").FindAllStringSubmatch(string(text), -1) {
		name := "internal/" + m[2]
		if drawn[name] = true; m[1] != strconv.Itoa(rank[name]) {
			t.Errorf("docs/architecture.md gives %s the rank %s; it is %d", name, m[1], rank[name])
		}
	}
	there := map[string]bool{}
	for _, p := range packages(t) {
		there[p.name()] = true
		helper := p.Name == "main" || strings.HasSuffix(p.name(), "test") || strings.HasPrefix(p.name(), "test/")
		if !helper && !drawn[p.name()] {
			t.Errorf("%s is not in the table of docs/architecture.md", p.name())
		}
	}
	for name := range drawn {
		if !there[name] {
			t.Errorf("docs/architecture.md draws %s, which is not there", name)
		}
	}
	for name := range rank {
		if !there[name] {
			t.Errorf("%s has a rank and is not there", name)
		}
	}
}

func TestPackagesSayWhatTheyAre(t *testing.T) {
	for _, p := range packages(t) {
		if p.Doc == "" {
			t.Errorf("%s has no package comment", p.name())
		}
	}
}

var prints = regexp.MustCompile(`\bfmt\.Print(f|ln)?\(|\bos\.Std(out|err)\b`)

func TestFiles(t *testing.T) {
	for _, p := range packages(t) {
		for _, name := range slices.Concat(p.GoFiles, p.TestGoFiles, p.XTestGoFiles) {
			text, err := os.ReadFile(filepath.Join(p.Dir, name))
			if err != nil {
				t.Fatal(err)
			}
			for _, line := range tooWide(text) {
				t.Errorf("%s/%s:%d is wider than %d columns", p.name(), name, line, widest)
			}
			if speaks := p.name() == "internal/cli" || p.Name == "main" || strings.HasPrefix(p.name(), "test/"); !speaks &&
				!strings.HasSuffix(name, "_test.go") {
				if at := prints.Find(text); at != nil {
					t.Errorf("%s/%s uses %s; only internal/cli prints", p.name(), name, at)
				}
			}
		}
	}
}

// widest is how many columns a line of code may have.
const widest = 140

// tooWide are the lines that are wider. What stands in a raw string is not ours
// to wrap: scripts, tables and manifests.
func tooWide(text []byte) (out []int) {
	set := token.NewFileSet()
	file := set.AddFile("", -1, len(text))
	var s scanner.Scanner
	s.Init(file, text, nil, scanner.ScanComments)
	raw := map[int]bool{}
	for {
		pos, tok, lit := s.Scan()
		if tok == token.EOF {
			break
		}
		if tok == token.STRING && strings.HasPrefix(lit, "`") {
			for line := range strings.Count(lit, "\n") + 1 {
				raw[file.Line(pos)+line] = true
			}
		}
	}
	for i, line := range bytes.Split(text, []byte("\n")) {
		if utf8.RuneCount(line) > widest && !raw[i+1] {
			out = append(out, i+1)
		}
	}
	return out
}
