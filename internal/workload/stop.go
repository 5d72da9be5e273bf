package workload

import (
	_ "embed"

	"quorate.dev/quorate/internal/layout"
)

//go:embed stop.sh
var stopText string

// Script is a shell text that may use the layout's variables and the functions
// `service_state` and
// `stop_services`, see stop.sh.
func Script(at layout.Layout, text string) string { return at.Script(stopText + text) }
