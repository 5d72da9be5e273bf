package cli

import (
	"encoding/json"
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

// print writes text, or v as JSON.
func (f form) print(cmd *cobra.Command, text string, v any) error {
	if f.json() {
		enc := json.NewEncoder(cmd.OutOrStdout())
		enc.SetIndent("", "  ")
		return enc.Encode(v)
	}
	_, err := fmt.Fprint(cmd.OutOrStdout(), text)
	return err
}

// verdict prints, and is the error of what is not well.
func (f form) verdict(cmd *cobra.Command, text string, v any, well bool) error {
	if err := f.print(cmd, text, v); err != nil {
		return err
	}
	if !well {
		return errUnhealthy
	}
	return nil
}
