package lab

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// machineSettings are the limits that all containers of a machine share and
// that several Kubernetes nodes exceed: at least these values.
var machineSettings = map[string]int{
	"fs/inotify/max_user_instances":  4096,
	"fs/inotify/max_user_watches":    524288,
	"net/netfilter/nf_conntrack_max": 131072,
}

func savedSettings() string { return filepath.Join(stateRoot, "settings.json") }

// raiseSettings raises the limits and remembers what they were. The caller
// holds the lock of all labs.
func raiseSettings() error {
	saved := map[string]int{}
	if err := readJSON(savedSettings(), &saved); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	raise := map[string]int{}
	for key, least := range machineSettings {
		now, err := readSetting(key)
		if errors.Is(err, fs.ErrNotExist) {
			continue // a kernel without it
		}
		if err != nil {
			return err
		}
		if now < least {
			saved[key], raise[key] = now, least
		}
	}
	if err := writeJSON(savedSettings(), saved); err != nil { // first, or a crash forgets them
		return err
	}
	for key, value := range raise {
		if err := writeSetting(key, value); err != nil {
			return err
		}
	}
	return nil
}

// restoreSettings puts back what is still as labs left it. The caller holds the
// lock of all labs and there is none left.
func restoreSettings() error {
	saved := map[string]int{}
	if err := readJSON(savedSettings(), &saved); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	for key, was := range saved {
		if now, err := readSetting(key); err != nil || now != machineSettings[key] {
			continue
		}
		if err := writeSetting(key, was); err != nil {
			return err
		}
	}
	return os.Remove(savedSettings())
}

func readSetting(key string) (int, error) {
	text, err := os.ReadFile("/proc/sys/" + key)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(text)))
}

func writeSetting(key string, value int) error {
	if err := os.WriteFile("/proc/sys/"+key, []byte(strconv.Itoa(value)), 0); err != nil {
		return fmt.Errorf("set %s: %w", strings.ReplaceAll(key, "/", "."), err)
	}
	return nil
}
