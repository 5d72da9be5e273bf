package cli

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strings"
)

// origin is who ran a command, where, and with which file.
type origin struct {
	By     string `json:"by"`                   // the user, before sudo
	From   string `json:"from"`                 // this machine, and where the user's SSH session came from
	File   string `json:"file"`                 // the cluster file's path; stdin
	SHA256 string `json:"fileSHA256,omitempty"` // of the file, in hex
}

func originOf(t *target) origin {
	o := origin{By: os.Getenv("SUDO_USER"), File: t.file, SHA256: t.sum}
	if o.By == "" {
		o.By = "unknown"
		if u, err := user.Current(); err == nil {
			o.By = u.Username
		}
	}
	o.From = "unknown"
	if name, err := os.Hostname(); err == nil {
		o.From = name
	}
	if client := strings.Fields(os.Getenv("SSH_CONNECTION")); len(client) > 0 {
		o.From += " (ssh from " + client[0] + ")"
	}
	if t.file == "-" {
		o.File = "stdin"
	} else if abs, err := filepath.Abs(t.file); err == nil {
		o.File = abs
	}
	return o
}

// String is the origin as it stands in the journal.
func (o origin) String() string {
	s := fmt.Sprintf("by %s on %s, %s", o.By, o.From, o.File)
	if o.SHA256 != "" {
		s += " sha256:" + o.SHA256[:12]
	}
	return s
}
