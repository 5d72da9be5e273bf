// Package cli turns flags into one call each. It is the only package that
// prints, and it decides nothing.
package cli
