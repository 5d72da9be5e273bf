package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// form is the value of --output: how a command prints what it has to say. It is
// a pflag.Value, so that a form nobody knows is a usage error before anything
// else happens.
type form string

// The forms of --output.
const (
	textForm form = "text"
	jsonForm form = "json"
)

// flags adds --output; note says what JSON means for this command.
func (f *form) flags(cmd *cobra.Command, note string) {
	*f = textForm
	cmd.Flags().VarP(f, "output", "o", strings.TrimSpace("text | json "+note))
}

// String is the form as it is typed.
func (f *form) String() string { return string(*f) }

// Type names the value in --help.
func (f *form) Type() string { return "form" }

// Set takes a form.
func (f *form) Set(s string) error {
	if !slices.Contains([]form{textForm, jsonForm}, form(s)) {
		return fmt.Errorf("want text or json")
	}
	*f = form(s)
	return nil
}

func (f form) json() bool { return f == jsonForm }

// schemaVersion is that of all JSON documents: it rises when a field changes its
// meaning or goes, not when one is added. docs/json.md describes them.
const schemaVersion = 1

// document is v, whose JSON is an object, headed by the schema's version and the
// kind of document. An event has its kind itself.
func document(kind string, v any) ([]byte, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	if len(body) < 2 || body[0] != '{' {
		return nil, fmt.Errorf("%s: %T is no JSON object", kind, v)
	}
	head := fmt.Sprintf(`{"schemaVersion":%d`, schemaVersion)
	if kind != "" {
		head += fmt.Sprintf(`,"kind":%q`, kind)
	}
	if len(body) > 2 {
		head += ","
	}
	return append([]byte(head), body[1:]...), nil
}

// emit writes a document on a line of its own.
func emit(cmd *cobra.Command, kind string, v any) error {
	doc, err := document(kind, v)
	if err == nil {
		_, err = cmd.OutOrStdout().Write(append(doc, '\n'))
	}
	return err
}

// print writes text, or v as a JSON document of a kind.
func (f form) print(cmd *cobra.Command, text, kind string, v any) error {
	if !f.json() {
		_, err := fmt.Fprint(cmd.OutOrStdout(), text)
		return err
	}
	doc, err := document(kind, v)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	if err := json.Indent(&out, doc, "", "  "); err != nil {
		return err
	}
	_, err = fmt.Fprintln(cmd.OutOrStdout(), out.String())
	return err
}

// verdict prints, and is the error of what is not well.
func (f form) verdict(cmd *cobra.Command, text, kind string, v any, well bool) error {
	if err := f.print(cmd, text, kind, v); err != nil {
		return err
	}
	if !well {
		return errUnhealthy
	}
	return nil
}

// isJSON says that a command was asked for JSON.
func isJSON(cmd *cobra.Command) bool {
	f := cmd.Flags().Lookup("output")
	return f != nil && f.Value.String() == string(jsonForm)
}

// failure is how a command failed, for programs.
type failure struct {
	ExitCode int    `json:"exitCode"`
	Error    string `json:"error"`
	Kept     string `json:"kept,omitempty"` // what was left as it was
	Next     string `json:"next,omitempty"` // what to do next
}

// reportedError is an error that the JSON document printed before it has.
type reportedError struct{ error }

func (r reportedError) Unwrap() error { return r.error }

// fail writes an error as the last JSON document.
func fail(cmd *cobra.Command, err error) {
	if !isJSON(cmd) || errors.As(err, new(reportedError)) {
		return
	}
	e := explain(cmd, err)
	_ = emit(cmd, "error", failure{ExitCode: exitCode(err), Error: e.what, Kept: e.kept, Next: e.next}) // the exit code says it too
}
