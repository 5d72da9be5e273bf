//go:build lab && !long

package e2e

import "time"

const (
	// kills is how often TestKilled interrupts.
	kills = 7
	// killEvery is after how many steps of a change TestTrials kills quorate.
	killEvery = 24
	// powerOffs is how many hosts TestTrials powers off in the middle of a change.
	powerOffs = 1
	// away is how long such a host is off at most.
	away = 20 * time.Second
	// allChanges says that every kind of change is killed, and slow checks are made.
	allChanges = false
)
