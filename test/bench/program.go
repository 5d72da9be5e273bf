package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const mib = 1 << 20

// ran is a finished command.
type ran struct {
	out  string
	took time.Duration
	rss  int64 // bytes, at most
	code int
}

// run runs a command to its end; an exit code is no error here.
func run(ctx context.Context, env []string, name string, args ...string) (ran, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), env...)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	begun := time.Now()
	err := cmd.Run()
	r := ran{out: out.String(), took: time.Since(begun)}
	if cmd.ProcessState == nil {
		return r, fmt.Errorf("run %s: %w", name, err)
	}
	r.code = cmd.ProcessState.ExitCode()
	if u, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		r.rss = u.Maxrss * 1024
	}
	if err != nil {
		err = fmt.Errorf("%s %s: %w: %s%s", name, strings.Join(args, " "), err, tail(out.String()), tail(errOut.String()))
	}
	return r, err
}

func tail(s string) string { return s[max(0, len(s)-2000):] }

// program measures the binary itself.
func program(ctx context.Context, b *bench) error {
	st, err := os.Stat(b.quorate)
	if err != nil {
		return fmt.Errorf("find the program: %w; next: make build", err)
	}
	b.add("binary, stripped", "MiB", 80, float64(st.Size())/mib)
	for range 4 * b.runs { // cheap, and the first is cold
		r, err := run(ctx, nil, b.quorate, "version")
		if err != nil {
			return err
		}
		b.add("quorate version", "ms", 50, float64(r.took.Microseconds())/1000)
	}
	return nil
}

var benchLine = regexp.MustCompile(`(?m)^Benchmark(\S+?)(?:-\d+)?\s+\d+\s+([\d.]+) ns/op(?:\s+([\d.]+) MB/s)?`)

// goBench runs Go benchmarks and calls got with each result.
func goBench(ctx context.Context, env, args []string, got func(name string, ns, mbs float64)) error {
	r, err := run(ctx, env, "go", append([]string{"test", "-run", "^$"}, args...)...)
	if err != nil {
		return err
	}
	found := benchLine.FindAllStringSubmatch(r.out, -1)
	if len(found) == 0 {
		return fmt.Errorf("go test %s: no benchmark ran", strings.Join(args, " "))
	}
	for _, m := range found {
		ns, _ := strconv.ParseFloat(m[2], 64)
		mbs, _ := strconv.ParseFloat(m[3], 64)
		got(m[1], ns, mbs)
	}
	return nil
}

// planner runs the planner's own benchmarks.
func planner(ctx context.Context, b *bench) error {
	b.say("planner")
	return goBench(ctx, nil, []string{"-bench", ".", "-count", strconv.Itoa(b.runs), "./internal/step"}, func(name string, ns, _ float64) {
		b.add("planner: "+name, "ms", 0, ns/1e6)
	})
}
