package workload

import "strings"

// StateDirectory is the line of a unit by which systemd makes a folder below
// /var/lib; RuntimeDirectory one below /run, LogsDirectory one below /var/log
// (systemd.exec(5)).
func StateDirectory(dir string) string {
	return "StateDirectory=" + strings.TrimPrefix(dir, "/var/lib/")
}

// RuntimeDirectory is the same for a folder below /run.
func RuntimeDirectory(dir string) string {
	return "RuntimeDirectory=" + strings.TrimPrefix(dir, "/run/")
}

// LogsDirectory is the same for a folder below /var/log.
func LogsDirectory(dir string) string {
	return "LogsDirectory=" + strings.TrimPrefix(dir, "/var/log/")
}
