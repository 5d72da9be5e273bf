//go:build lab && !long

package e2e

import "time"

const (
	// kills is how often TestKilled interrupts.
	kills = 10
	// killEvery is after how many steps of a change TestTrials kills quorate.
	killEvery = 12
	// powerOffs is how many hosts TestTrials powers off in the middle of a change.
	powerOffs = 2
	// away is how long such a host is off at most.
	away = 30 * time.Second
	// allChanges says that all changes are killed, not a growth alone.
	allChanges = false
)
