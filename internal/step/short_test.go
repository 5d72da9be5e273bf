//go:build !long

package step_test

// parts is by how much fewer worlds, seeds and walks are gone through than with
// the tag long. They are the same in every run.
const parts = 3
