package step

// Env is what the real half of a step works with.
type Env struct{}
