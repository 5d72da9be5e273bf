//go:build !linux

package artifact

import "os"

// identityOf looks at a regular file; inode and ctime are read on Linux only.
func identityOf(path string) (identity, bool) {
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() {
		return identity{}, false
	}
	return identity{Size: info.Size(), MTime: info.ModTime().UnixNano()}, true
}
