// Command quorate makes, changes and proves highly available Kubernetes
// control planes.
package main

import (
	"os"

	"quorate.dev/quorate/internal/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }
