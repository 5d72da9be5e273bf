package lab

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const debianKeyring = "/usr/share/keyrings/debian-archive-keyring.gpg"

// Image returns the folder with the hosts' common file system, made from
// Debian packages at the first call.
func Image(ctx context.Context, progress func(string)) (string, error) {
	o := Options{Progress: progress}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the cache folder: %w", err)
	}
	dir := filepath.Join(cache, "quorate", "lab")
	r := imageRecipe()
	image := filepath.Join(dir, "image-"+r.digest())
	if _, err := os.Stat(image); err == nil {
		return image, nil
	}
	held, err := lockFile(ctx, filepath.Join(dir, "image.lock"), unix.LOCK_EX)
	if err != nil {
		return "", err
	}
	defer held.release()
	if _, err := os.Stat(image); err == nil { // another builder was faster
		return image, nil
	}
	// We hold the lock: whatever is half built belongs to a killed run.
	stale, _ := filepath.Glob(filepath.Join(dir, "build-*"))
	for _, s := range stale {
		if err := removeTree(s); err != nil {
			return "", fmt.Errorf("remove a half-built image: %w", err)
		}
	}
	build := filepath.Join(dir, "build-"+r.digest())
	start := time.Now()
	o.say("image: building the hosts' file system, once; a minute or two")
	if err := r.build(ctx, build, o); err != nil {
		removeTree(build)
		return "", fmt.Errorf("build image: %w", err)
	}
	if err := os.Rename(build, image); err != nil {
		return "", fmt.Errorf("keep image: %w", err)
	}
	o.say("image: built in %s", time.Since(start).Round(time.Second))
	return image, nil
}

func (r recipe) build(ctx context.Context, root string, o Options) error {
	if err := r.debootstrap(ctx, root, o); err != nil {
		return err
	}
	for _, pattern := range r.Remove {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			return err
		}
		for _, path := range found {
			if err := os.RemoveAll(path); err != nil {
				return err
			}
		}
	}
	for _, f := range r.Files {
		if err := writeBelow(root, f.Path, f.Content, os.FileMode(f.Mode)); err != nil {
			return err
		}
	}
	for _, change := range []struct {
		verb  string
		units []string
	}{{"enable", r.Enable}, {"disable", r.Disable}, {"mask", r.Mask}} {
		args := append([]string{root, "systemctl", "--quiet", change.verb}, change.units...)
		if _, err := run(ctx, nil, "chroot", args...); err != nil {
			return err
		}
	}
	return nil
}

// debootstrap installs the packages. It runs in namespaces of its own: the
// mounts it makes and any service a package starts end with it.
func (r recipe) debootstrap(ctx context.Context, root string, o Options) error {
	mirror := debianMirror("/etc/apt", r.Suite)
	cmd := exec.CommandContext(ctx, "unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc",
		"debootstrap", "--variant=minbase", "--arch="+r.Arch, "--keyring="+debianKeyring,
		"--include="+strings.Join(r.Packages, ","), r.Suite, root, mirror)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive")
	if proxy := aptProxy(ctx); proxy != "" && os.Getenv("http_proxy") == "" {
		cmd.Env = append(cmd.Env, "http_proxy="+proxy)
	}
	// It must not outlive us and go on below the next builder. The kernel takes
	// the death of the thread that started it for ours, so keep the thread.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start debootstrap: %w", err)
	}
	var last []string
	var said time.Time
	for lines := bufio.NewScanner(out); lines.Scan(); {
		line := lines.Text()
		if last = append(last, line); len(last) > 20 {
			last = last[1:]
		}
		if text, ok := strings.CutPrefix(line, "I: "); ok && time.Since(said) > time.Second {
			o.say("image: %s", text)
			said = time.Now()
		}
	}
	if err := cmd.Wait(); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return fmt.Errorf("debootstrap from %s: %w: %s", mirror, err, strings.Join(last, "\n"))
	}
	return nil
}

// aptProxy is the proxy this machine's apt goes through, if any.
func aptProxy(ctx context.Context) string {
	out, err := run(ctx, nil, "apt-config", "shell", "proxy", "Acquire::http::Proxy")
	if err != nil {
		return "" // not a Debian machine
	}
	return strings.Trim(strings.TrimPrefix(strings.TrimSpace(out), "proxy="), "'")
}

// writeBelow writes a file of a host's file system, with its folders.
func writeBelow(root, path, content string, mode os.FileMode) error {
	full := filepath.Join(root, path)
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(full, []byte(content), mode); err != nil {
		return err
	}
	return os.Chmod(full, mode) // the umask has no say
}
