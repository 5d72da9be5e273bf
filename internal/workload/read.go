package workload

import (
	"slices"

	"quorate.dev/quorate/internal/model"
)

// HasRead says whether a running process has read what is wanted of a service
// that leaves no stamp. sums are the SHA-256 of the files on the disk. Its
// command line must be the wanted one, and no file that it reads only once may
// be another than wanted or have changed since its start. What counts is the
// change of the inode (ctime), which no copying tool sets back. Where that cannot
// be told it is unknown, which is no reason to restart.
func (s Service) HasRead(at State, sums map[string]string) model.Known[bool] {
	if len(at.Argv) == 0 || at.Started.IsZero() {
		return model.Unknown[bool]("the command line of its process cannot be read")
	}
	if s.Made != nil {
		return s.hasReadMade(at, sums)
	}
	if !slices.Equal(at.Argv, s.Argv) {
		return model.Is(false).Because("its process has another command line")
	}
	var paths []string
	for _, f := range s.Rendered() {
		definition := f.Path == s.Path()
		if sums[f.Path] != sum(f.Content) && (definition || !s.cold(f.Path)) {
			return model.Is(false).Because(f.Path + " is another than wanted")
		}
		if !definition && !s.cold(f.Path) { // what of the definition matters is the command line
			paths = append(paths, f.Path)
		}
	}
	return at.readBefore(paths)
}

func (s Service) cold(path string) bool {
	return slices.ContainsFunc(s.Files, func(f File) bool { return f.Path == path && f.Cold })
}
