package model

// Installed is what quorate has put somewhere: settings and certificates on a
// host, objects in the cluster. The zero value is nothing.
type Installed struct {
	Digest string // of what it was made from
	Valid  bool   // it also does its work: settings are in force, certificates are valid, pods are ready
}

// Valid is something installed that does its work.
func Valid(digest string) Known[Installed] { return Is(Installed{digest, true}) }

// Invalid is something installed that does not do its work.
func Invalid(digest string) Known[Installed] { return Is(Installed{Digest: digest}) }

// NotInstalled is known absence.
func NotInstalled() Known[Installed] { return Is(Installed{}) }

// String is for failure messages.
func (i Installed) String() string {
	switch {
	case i.Digest == "":
		return "nothing"
	case !i.Valid:
		return i.Digest + " (not valid)"
	}
	return i.Digest
}
