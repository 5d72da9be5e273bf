// Command quorate-test is what tests run in pods: a small web server that
// tells who answers whom, and the tools to ask it from another pod.
//
//	quorate-test            serve HTTP on :8080
//	quorate-test get URL    one GET; prints the body; exit 1 unless the status is 200
//	quorate-test sleep TIME wait, for ever when no time is given
//	quorate-test count FILE twice a second, append the pod's name, the next number and the time in ms
package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"net/http"
	"os"
	"strings"
	"time"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "quorate-test:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 0 || args[0] == "serve":
		return serve()
	case args[0] == "get" && len(args) == 2:
		return get(args[1])
	case args[0] == "sleep" && len(args) == 1:
		time.Sleep(math.MaxInt64)
		return nil
	case args[0] == "sleep" && len(args) == 2:
		d, err := time.ParseDuration(args[1])
		if err != nil {
			d, err = time.ParseDuration(args[1] + "s") // plain seconds, as sleep(1) takes
		}
		if err != nil {
			return err
		}
		time.Sleep(d)
		return nil
	case args[0] == "count" && len(args) == 2:
		return count(args[1])
	}
	return fmt.Errorf("unknown arguments %q; want: serve | get URL | sleep [SECONDS] | count FILE", args)
}

// count goes on where the file ends, whoever wrote that.
func count(file string) error {
	name, err := os.Hostname()
	if err != nil {
		return err
	}
	text, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	n := 0
	if lines := strings.Split(strings.TrimSpace(string(text)), "\n"); lines[0] != "" {
		if _, err := fmt.Sscanf(lines[len(lines)-1], "%s %d", new(string), &n); err != nil {
			return fmt.Errorf("the last line of %s: %w", file, err)
		}
	}
	for ; ; time.Sleep(500 * time.Millisecond) {
		n++
		if err := add(file, fmt.Sprintf("%s %d %d\n", name, n, time.Now().UnixMilli())); err != nil {
			return err // who starts it again reads the file again
		}
	}
}

func add(file, line string) error {
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteString(line)
	return errors.Join(err, f.Close())
}

func serve() error {
	name, err := os.Hostname()
	if err != nil {
		return err
	}
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "hello from %s to %s\n", name, r.RemoteAddr)
	})
	return http.ListenAndServe(":8080", nil)
}

func get(url string) error {
	resp, err := (&http.Client{Timeout: 5 * time.Second}).Get(url)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(os.Stdout, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, resp.Status)
	}
	return nil
}
