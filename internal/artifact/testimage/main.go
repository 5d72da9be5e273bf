// Command quorate-test is what tests run in pods: a small web server that
// tells who answers whom, and the tools to ask it from another pod.
//
//	quorate-test            serve HTTP on :8080
//	quorate-test get URL    one GET; prints the body; exit 1 unless the status is 200
//	quorate-test sleep TIME wait, for ever when no time is given
package main

import (
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
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
	}
	return fmt.Errorf("unknown arguments %q; want: serve | get URL | sleep [SECONDS]", args)
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
