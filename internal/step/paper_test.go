package step_test

import "quorate.dev/quorate/internal/step/steptest"

// The words of these tests.
var (
	want, bare, fresh, nothing = steptest.Want, steptest.Bare, steptest.Fresh, steptest.Nothing
	pods                       = steptest.Pods
	observed, back, atBirth    = steptest.Observed, steptest.Back, steptest.AtBirth
)
