package cli

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// Every command's help shows how it is typed, and -o means one thing.
func TestHelp(t *testing.T) {
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Name() == "completion" || c.Name() == "help" {
			return
		}
		if !strings.Contains(c.Example, c.CommandPath()) {
			t.Errorf("%s: the help has no example of it", c.CommandPath())
		}
		if f := c.Flags().ShorthandLookup("o"); f != nil && f.Value.Type() != "form" {
			t.Errorf("%s: -o is --%s", c.CommandPath(), f.Name)
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(Command())
}
