package cli

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"quorate.dev/quorate/internal/cis"
	"quorate.dev/quorate/internal/engine"
	"quorate.dev/quorate/internal/etcd"
	"quorate.dev/quorate/internal/etcdadmin"
	"quorate.dev/quorate/internal/hostcheck"
	"quorate.dev/quorate/internal/lblint"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/plan"
	"quorate.dev/quorate/internal/prober"
	"quorate.dev/quorate/internal/refs"
	"quorate.dev/quorate/internal/status"
	"quorate.dev/quorate/internal/step"
	"quorate.dev/quorate/internal/version"
)

var update = flag.Bool("update", false, "write the golden files anew")

// fill gives each field of v a value that is not its zero, so that a golden file
// has every field that there is.
func fill(v reflect.Value) {
	if v.Type() == reflect.TypeFor[time.Time]() {
		v.Set(reflect.ValueOf(time.Date(2026, 11, 21, 5, 16, 44, 0, time.UTC)))
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() || f.Anonymous {
				fill(v.Field(i))
			}
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.String:
		v.SetString("text")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(1500000000)
	case reflect.Uint32, reflect.Uint64, reflect.Uint8:
		v.SetUint(1)
	case reflect.Float64:
		v.SetFloat(1.5)
	}
}

func filled[T any]() T {
	var v T
	fill(reflect.ValueOf(&v).Elem())
	return v
}

// samples has one document of each kind.
func samples() map[string]any {
	about := plan.About{Kind: "start-etcd", Host: "cp1", Title: "start etcd", Why: "not installed", Irreversible: true, Seconds: 3}
	p := plan.Plan{
		Stages:   []plan.Stage{{Risk: plan.Exposed, Reasons: []string{"EXPOSED: losing cp2 stops etcd"}, Steps: []plan.Step{paperStep{about}}}},
		Blocked:  []plan.Refused{{Step: about, Err: plan.UnreachedError{Host: "cp1"}}},
		Deferred: []plan.Refused{{Step: about, Err: plan.UnreachedError{Host: "cp1"}}}}
	return map[string]any{
		"plan": p, "event": filled[engine.Event](), "journal": filled[entry](), "status": filled[status.Status](),
		"etcd": filled[status.Etcd](), "alarms": alarmsDoc(filled[[]etcdadmin.Alarm]()),
		"snapshot": filled[etcd.Snapshot](), "snapshots": map[string]any{"hosts": filled[[]etcdadmin.Listed]()},
		"defrag": map[string]any{"members": filled[[]etcdadmin.Defragged]()}, "probe": map[string]any{"report": filled[prober.Report]()},
		"error": filled[failure](), "version": filled[version.Info](), "file": filled[fileDoc](), "kubeconfig": filled[kubeconfigDoc](),
		"token": filled[tokenDoc](), "tokens": filled[tokensDoc](), "tokenDeleted": filled[tokenDeletedDoc](),
		"forgotten": filled[forgottenDoc](),
		"adopt":     filled[adoptDoc](),
		"cis":       filled[cis.Report](), "hosts": filled[hostcheck.Report](), "lb": filled[lblint.Report](), "refs": filled[refs.Report](),
		"artifacts":    filled[artifactsDoc](),
		"bundle":       filled[bundleDoc](),
		"verification": filled[verificationDoc](),
		"labs":         filled[labsDoc](), "lab": filled[labDoc](), "cleaned": filled[cleanedDoc](), "done": struct{}{},
	}
}

// Programs read these documents: a field that goes or is called otherwise shows here.
func TestGoldenJSON(t *testing.T) {
	docs, err := os.ReadFile(filepath.Join("..", "..", "docs", "json.md"))
	if err != nil {
		t.Fatal(err)
	}
	for kind, v := range samples() {
		head := kind
		if kind == "event" || kind == "journal" {
			head = "" // its own kind is that of the event
		}
		doc, err := document(head, v)
		var got bytes.Buffer
		if err == nil {
			err = json.Indent(&got, doc, "", "  ")
		}
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		got.WriteByte('\n')
		path := filepath.Join("testdata", "json", kind+".json")
		if *update {
			if err := os.WriteFile(path, got.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(got.Bytes(), want) {
			t.Errorf("%s differs from %s (go test ./internal/cli -run TestGoldenJSON -update): %v\n%s", kind, path, err, got.String())
		}
		var fields map[string]any
		if err := json.Unmarshal(doc, &fields); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		for name := range fields {
			if !strings.Contains(string(docs), "`"+name+"`") {
				t.Errorf("docs/json.md does not name %s, a field of %s", name, kind)
			}
		}
		if !strings.Contains(string(docs), "`"+kind+"`") {
			t.Errorf("docs/json.md does not name the document %s", kind)
		}
	}
}

// Every command takes --output but for those whose output is somebody else's.
func TestEveryCommandHasJSON(t *testing.T) {
	raw := map[string]bool{"quorate schema": true, "quorate lab ssh": true, "quorate lab exec": true}
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Name() == "completion" || c.Name() == "help" {
			return
		}
		if !c.HasSubCommands() && c.Flags().Lookup("output") == nil && !raw[c.CommandPath()] {
			t.Errorf("%s has no --output", c.CommandPath())
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(Command())
}

func TestErrorsAsJSON(t *testing.T) {
	var out, errOut bytes.Buffer
	if code := Main([]string{"validate", "-f", "not-there.yaml", "-o", "json"}, nil, &out, &errOut); code != exitUsage {
		t.Errorf("exit code %d", code)
	}
	var doc struct {
		SchemaVersion, ExitCode int
		Kind, Error             string
	}
	if err := json.Unmarshal(out.Bytes(), &doc); err != nil || doc.Kind != "error" || doc.ExitCode != exitUsage || doc.SchemaVersion != 1 ||
		!strings.Contains(doc.Error, "not-there.yaml") {
		t.Errorf("%s %v", out.String(), err)
	}
	if !strings.Contains(errOut.String(), "quorate init") {
		t.Errorf("stderr: %s", errOut.String())
	}
}

func TestColour(t *testing.T) {
	text := "Stage 1\n  cp1  start etcd (not installed)\n  EXPOSED: x\n1 stage, 1 step, risk: exposed\n"
	painted := colour(text)
	for _, want := range []string{strong + "Stage 1" + endOf, careful + "EXPOSED" + endOf, careful + "risk: exposed" + endOf} {
		if !strings.Contains(painted, want) {
			t.Errorf("%q is not in %q", want, painted)
		}
	}
	plain := painted
	for _, c := range []string{good, careful, bad, strong, endOf} {
		plain = strings.ReplaceAll(plain, c, "")
	}
	if plain != text {
		t.Errorf("colours change the text: %q", plain)
	}
	if coloured(&bytes.Buffer{}) {
		t.Error("a buffer is no terminal")
	}
}

func TestKeptLines(t *testing.T) {
	const at = "/var/lib/quorate/kept/20261121T051644Z"
	got := strings.Join(keptLines(keptOf("w1", at+"/a", "cp1", at+"/etc/b", "cp1", at+"/etc/x/c")), "\n")
	if want := "cp1: kept 2 replaced files under " + at + "/etc\nw1: kept the old p at " + at + "/a"; got != want {
		t.Errorf("%s", got)
	}
}

// keptOf makes a list of pairs: a host, and where something of it is kept.
func keptOf(pairs ...string) (out []step.Kept) {
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, step.Kept{Host: model.HostID(pairs[i]), Path: "p", At: pairs[i+1]})
	}
	return out
}

// paperStep is a step that only has a name.
type paperStep struct{ about plan.About }

func (p paperStep) About() plan.About        { return p.about }
func (p paperStep) Need(model.Cluster) error { return nil }
func (p paperStep) Effect(*model.Cluster)    {}
func (p paperStep) Interim(*model.Cluster)   {}
