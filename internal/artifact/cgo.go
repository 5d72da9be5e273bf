package artifact

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// cgoReady says what is missing to link runc statically with libseccomp.
func cgoReady(ctx context.Context, arch string) error {
	if arch != runtime.GOARCH && os.Getenv("CC") == "" {
		return fmt.Errorf("it needs a C compiler for %s on this %s machine; set CC and PKG_CONFIG_PATH to one with a static libseccomp, "+
			"or set artifacts.source: upstream", arch, runtime.GOARCH)
	}
	tools := []string{"pkg-config"}
	if os.Getenv("CC") == "" {
		tools = append(tools, "gcc")
	}
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("it needs %s; install it (Debian, Ubuntu: apt-get install gcc pkg-config libseccomp-dev), or set "+
				"artifacts.source: upstream", tool)
		}
	}
	out, err := exec.CommandContext(ctx, "pkg-config", "--variable=libdir", "libseccomp").Output()
	lib := filepath.Join(strings.TrimSpace(string(out)), "libseccomp.a")
	if err == nil {
		_, err = os.Stat(lib)
	}
	if err != nil {
		return fmt.Errorf("it needs the static library libseccomp (%s); install it (Debian, Ubuntu: apt-get install libseccomp-dev), or "+
			"set artifacts.source: upstream", lib)
	}
	return nil
}
