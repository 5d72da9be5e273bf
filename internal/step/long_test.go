//go:build long

package step_test

const parts = 1
