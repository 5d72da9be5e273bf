// Command etcd-gate starts etcd in a static pod, where no shell and no unit can.
//
// `etcd-gate run DATA BIRTH ENV PROGRAM ARG...` becomes the program, with the
// environment of the files ENV and, while it exists, BIRTH. Without DATA it
// refuses, unless BIRTH exists: an empty member must not come back as the one
// that it was.
//
// `etcd-gate begun URL MARK BIRTH` succeeds once etcd is healthy at URL. It then
// leaves MARK and removes BIRTH.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"strings"
	"syscall"
	"time"
)

func main() {
	err := errors.New("usage: etcd-gate run DATA BIRTH ENV PROGRAM ARG... | begun URL MARK BIRTH")
	switch args := os.Args[1:]; {
	case len(args) >= 5 && args[0] == "run":
		err = run(args[1], args[2], args[3], args[4:])
	case len(args) == 4 && args[0] == "begun":
		err = begun(args[1], args[2], args[3])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "etcd-gate:", err)
		os.Exit(1)
	}
}

func run(data, birth, env string, argv []string) error {
	_, dataErr := os.Stat(data)
	_, birthErr := os.Stat(birth)
	if errors.Is(dataErr, fs.ErrNotExist) && errors.Is(birthErr, fs.ErrNotExist) {
		return errors.New("there is no data, and an empty member must not come back as the one it was: run quorate apply")
	}
	if err := load(env); err != nil {
		return err
	}
	if err := load(birth); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return fmt.Errorf("start %s: %w", argv[0], syscall.Exec(argv[0], argv, os.Environ()))
}

// load reads lines NAME=VALUE, as systemd's EnvironmentFile has them.
func load(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if name, value, ok := strings.Cut(lines.Text(), "="); ok && !strings.HasPrefix(name, "#") {
			if err := os.Setenv(name, value); err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
		}
	}
	return lines.Err()
}

func begun(url, mark, birth string) error {
	client := http.Client{Timeout: 2 * time.Second}
	answer, err := client.Get(url)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, 1<<16))
	if err != nil {
		return err
	}
	if !strings.Contains(string(body), `"health":"true"`) {
		return fmt.Errorf("not healthy: %s", body)
	}
	f, err := os.OpenFile(mark, os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Remove(birth); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
