package workload

import _ "embed"

// DigestScript defines the shell function `digests FILE...`, which tells the
// SHA-256 of files fast when it has read them before. It needs the layout's
// variables.
//
//go:embed digests.sh
var DigestScript string
