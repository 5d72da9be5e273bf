//go:build lab && long

package e2e

// kills is how often TestKilled interrupts.
const kills = 60
