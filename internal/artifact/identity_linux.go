package artifact

import (
	"os"
	"syscall"
)

// identityOf looks at a regular file.
func identityOf(path string) (identity, bool) {
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() {
		return identity{}, false
	}
	s := identity{Size: info.Size(), MTime: info.ModTime().UnixNano()}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		s.Inode, s.CTime = st.Ino, st.Ctim.Nano()
	}
	return s, true
}
