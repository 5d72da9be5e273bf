// Package artifact is where the programs and images of a cluster come from:
// built from Go modules, or downloaded from the projects' releases. Everything
// lands in one store on this machine, named by its content, from where hosts
// are served.
//
// It does not reach hosts, decides nothing about a cluster, and prints
// nothing: callers get files, events and errors.
package artifact
