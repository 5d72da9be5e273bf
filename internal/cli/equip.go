package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"quorate.dev/quorate/internal/artifact"
	"quorate.dev/quorate/internal/plan"
)

// sends says whether a plan brings programs or images to hosts.
func sends(p plan.Plan) bool {
	return slices.ContainsFunc(p.Stages, func(st plan.Stage) bool {
		return slices.ContainsFunc(st.Steps, func(s plan.Step) bool {
			return slices.Contains([]string{"binaries", "images"}, s.About().Kind)
		})
	})
}

// equip gets what a plan brings to hosts. A plan that brings nothing goes on
// without what the store lacks: a repair needs no download.
func (s *session) equip(cmd *cobra.Command, t *target, p plan.Plan) error {
	if !sends(p) {
		if _, err := s.missing(); err != nil {
			return nil
		}
	}
	arts, err := artifacts(cmd.Context(), cmd, t, s.file)
	if err != nil {
		return err
	}
	s.arts = arts
	s.engine.Equip(arts)
	return nil
}

// missing are the artefacts that the store lacks, and the error when there are any.
func (s *session) missing() ([]string, error) {
	store, err := artifact.OpenStore("")
	if err != nil {
		return nil, err
	}
	list, err := store.Missing(s.arts.Versions, artifact.Flavour(s.file.Spec.Kubernetes.Flavour, s.file.Spec.Addons.MetricsServer))
	if err == nil && len(list) > 0 {
		err = fmt.Errorf("not in the store: %s", strings.Join(list, ", "))
	}
	return list, err
}

// sayMissing names what an apply of the plan will build or download first.
func (s *session) sayMissing(cmd *cobra.Command, p plan.Plan) {
	if !sends(p) {
		return
	}
	if list, _ := s.missing(); len(list) > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "note: apply will first download or build what this machine does not have: %s\n", strings.Join(list, ", "))
	}
}
