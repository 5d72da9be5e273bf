package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"quorate.dev/quorate/internal/adopt"
	"quorate.dev/quorate/internal/adopt/units"
	"quorate.dev/quorate/internal/host"
)

// units reports a control plane of hand-made units. There is no file for it.
func (a *adopting) units(cmd *cobra.Command, o adopt.Options, by adopt.UnitsError) error {
	var hosts []host.Host
	for _, s := range o.Seeds {
		hosts = append(hosts, s.Host)
	}
	r := units.Find(cmd.Context(), hosts, o.Connect).Report()
	if a.report != "" {
		if err := writeNew(a.report, []byte(r.Text())); err != nil {
			return err
		}
	}
	if a.form.json() {
		if err := a.form.print(cmd, "", "adoptUnits", r); err != nil {
			return err
		}
	} else {
		fmt.Fprint(cmd.ErrOrStderr(), r.Text())
	}
	return fmt.Errorf("%w: %w, written by hand; quorate cannot care for such a cluster yet, so no file was written; "+
		"next: keep the report, and go on by hand", errRefused, by)
}
