// Command testsum reads `go test -json` and shows what matters: how each
// package ended, every failure whole, with -each also each test as it ends,
// and a count at the end. It fails when a test failed.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"
)

// event is a line of go test -json (go doc test2json).
type event struct {
	Action, Package, Test, Output, ImportPath string
	Elapsed                                   float64
}

func main() {
	each := flag.Bool("each", false, "show each test as it ends")
	label := flag.String("label", "tests", "what was run, for the last line")
	flag.Parse()
	begun := time.Now()
	var passed, failed, skipped, packages int
	said := map[string][]string{} // output so far, by test
	for lines := bufio.NewReader(os.Stdin); ; {
		line, err := lines.ReadBytes('\n')
		if len(line) == 0 && err != nil {
			break
		}
		var e event
		if json.Unmarshal(line, &e) != nil {
			os.Stdout.Write(line) // not of go test: say it as it is
			continue
		}
		key := e.Package + " " + e.Test
		switch e.Action {
		case "output", "build-output":
			if e.Action == "build-output" || e.Test == "" && closing(e.Output) {
				fmt.Print(e.Output)
			} else {
				said[key] = append(said[key], e.Output)
			}
		case "pass", "fail", "skip":
			if e.Test == "" {
				if e.Action == "fail" {
					// With what the tests said that have no end: it broke off in one.
					for _, k := range slices.Sorted(maps.Keys(said)) {
						if strings.HasPrefix(k, key) {
							fmt.Print(strings.Join(said[k], ""))
						}
					}
					failed++
				}
				packages++
				break
			}
			count(e.Action, &passed, &failed, &skipped)
			if e.Action == "fail" || e.Action == "skip" && *each {
				fmt.Print(strings.Join(said[key], ""))
			} else if *each && !strings.Contains(e.Test, "/") {
				fmt.Printf("--- %s: %s (%.1fs)\n", strings.ToUpper(e.Action), e.Test, e.Elapsed)
			}
			delete(said, key)
		}
	}
	fmt.Printf("%s: %d packages, %d passed, %d failed, %d skipped in %s\n", *label, packages, passed, failed, skipped,
		time.Since(begun).Round(time.Second))
	if failed > 0 || packages == 0 {
		os.Exit(1)
	}
}

// closing says whether a package's own line tells how it ended.
func closing(line string) bool {
	return strings.HasPrefix(line, "ok  ") || strings.HasPrefix(line, "FAIL") || strings.HasPrefix(line, "panic:")
}

func count(action string, passed, failed, skipped *int) {
	switch action {
	case "pass":
		*passed++
	case "fail":
		*failed++
	default:
		*skipped++
	}
}
