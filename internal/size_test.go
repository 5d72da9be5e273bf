package internal_test

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// How large a file and a function may be. Tests are scenes, told in order: theirs
// may be longer.
const (
	longestFile     = 350
	medianFile      = 130
	longestFunction = 60
	longestTest     = 100
)

// longer are the functions that may be longer yet, and why.
var longer = map[string]string{
	"internal/lab/host_linux_test.go TestLabLife": "one lab's life, whose hosts take long to boot, in the order in which it is lived",
}

// TestSizes reads every file of ours, whatever it is built for.
func TestSizes(t *testing.T) {
	var lengths []int
	used := map[string]bool{}
	for _, dir := range []string{"cmd", "hack", "internal", "test"} {
		err := filepath.WalkDir("../"+dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") {
				return err
			}
			text, err := os.ReadFile(path)
			if err != nil || bytes.Contains(text, []byte("// Code generated ")) {
				return err
			}
			name, most := strings.TrimPrefix(path, "../"), longestTest
			n := bytes.Count(text, []byte("\n"))
			if !strings.HasSuffix(name, "_test.go") {
				lengths, most = append(lengths, n), longestFunction
			}
			if n > longestFile {
				t.Errorf("%s has %d lines; %d are the most", name, n, longestFile)
			}
			long, err := tooLong(name, text, most)
			for _, f := range long {
				is := name + " " + f.name
				if used[is] = true; longer[is] == "" {
					t.Errorf("%s has %d lines that are no table; %d are the most", is, f.lines, most)
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if slices.Sort(lengths); lengths[len(lengths)/2] > medianFile {
		t.Errorf("half of the files have more than %d lines; %d are the most", lengths[len(lengths)/2], medianFile)
	}
	for is := range longer {
		if !used[is] {
			t.Errorf("%s is no longer an exception", is)
		}
	}
}

type function struct {
	name  string
	lines int
}

// tooLong are the functions of more lines than most. The lines of a table do not
// count: those of a composite literal after its first, but for the functions in
// it.
func tooLong(name string, text []byte, most int) (out []function, err error) {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, name, text, 0)
	if err != nil {
		return nil, err
	}
	span := func(n ast.Node) int { return set.Position(n.End()).Line - set.Position(n.Pos()).Line }
	for _, d := range file.Decls {
		f, is := d.(*ast.FuncDecl)
		if !is || f.Body == nil {
			continue
		}
		lines := span(f) + 1
		var inTable bool
		var count func(ast.Node) bool
		count = func(n ast.Node) bool {
			was := inTable
			switch n := n.(type) {
			case *ast.CompositeLit:
				if inTable {
					return true // counted with the outer one
				}
				inTable, lines = true, lines-span(n)
				for _, e := range n.Elts {
					ast.Inspect(e, count)
				}
			case *ast.FuncLit:
				if !inTable {
					return true
				}
				inTable, lines = false, lines+span(n)
				ast.Inspect(n.Body, count)
			default:
				return true
			}
			inTable = was
			return false
		}
		if ast.Inspect(f.Body, count); lines > most {
			out = append(out, function{f.Name.Name, lines})
		}
	}
	return out, nil
}

// A table is as long as it likes, and the functions in it are not hidden there.
func TestTooLong(t *testing.T) {
	body := strings.Repeat("\n\ta()", 10)
	rows := strings.Repeat("\n\t\t1,", 20)
	for name, at := range map[string]struct {
		text string
		want string
	}{
		"short":               {"func f() {" + body + "\n}", "[]"},
		"long":                {"func f() {" + body + body + "\n}", "[{f 22}]"},
		"table":               {"func f() {\n\tx := []int{" + rows + "\n\t}\n\ta(x)\n}", "[]"},
		"table in a table":    {"func f() {\n\tx := [][]int{{" + rows + "\n\t}}\n\ta(x)\n}", "[]"},
		"function in a table": {"func f() {\n\tx := []any{1,\n\tfunc() {" + body + body + "\n\t}}\n\ta(x)\n}", "[{f 25}]"},
		"method of no body":   {"func f()", "[]"},
	} {
		got, err := tooLong("f.go", []byte("package p\n\n"+at.text+"\n"), 15)
		if err != nil || fmt.Sprint(got) != at.want {
			t.Errorf("%s: %v, %v; want %s", name, got, err, at.want)
		}
	}
}
