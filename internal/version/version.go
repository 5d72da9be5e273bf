// Package version says which build of quorate runs. It does not compare
// versions.
package version

import (
	"fmt"
	"runtime"
)

// What the build sets (-ldflags -X): see the Makefile and hack/release.
var (
	Version = "dev" // such as v1.2.3, or git describe's words
	Commit  = ""    // in full
	Date    = ""    // of the commit, RFC 3339 in UTC
)

// Info is a build.
type Info struct {
	Version  string `json:"version"`
	Commit   string `json:"commit,omitempty"`
	Date     string `json:"date,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// Current is the build that runs.
func Current() Info {
	return Info{Version: Version, Commit: Commit, Date: Date, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
}

// String is the build in a line, without the program's name.
func (i Info) String() string {
	if i.Commit == "" {
		return fmt.Sprintf("%s (%s, %s)", i.Version, i.Go, i.Platform)
	}
	return fmt.Sprintf("%s (commit %.12s, %s, %s, %s)", i.Version, i.Commit, i.Date, i.Go, i.Platform)
}
