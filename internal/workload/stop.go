package workload

import (
	_ "embed"

	"quorate.dev/quorate/internal/layout"
)

//go:embed stop.sh
var stopText string

// StopScript is a shell text that may use the layout's variables and the function
// `stop_services`.
func StopScript(at layout.Layout, text string) string { return at.Script(stopText + text) }
