package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"
)

// before is how long clients ask before the fault comes.
const before = 6 * time.Second

// ask runs the client on a host with the ways that it has there.
func (c *cluster) ask(ctx context.Context, host string, ways map[string]string) ([]row, error) {
	job, err := json.Marshal(map[string]any{"Ways": ways, "CA": c.ca, "Cert": c.cert, "Key": c.key, "Server": c.server,
		"Maps": configs, "Object": object, "Seconds": c.seconds(), "Limit": 5})
	if err != nil {
		return nil, err
	}
	out, err := c.exec(ctx, host, bytes.NewReader(job), onHost)
	if err != nil {
		return nil, err
	}
	var rows []row
	return rows, json.Unmarshal([]byte(out), &rows)
}

// trial breaks one host while clients ask, and brings everything back.
func (c *cluster) trial(ctx context.Context, f fault, victim string) (result, error) {
	leader, err := c.leader(ctx)
	if err != nil {
		return result{}, err
	}
	var others []string
	for _, h := range []string{"cp1", "cp2", "cp3"} {
		if h != leader {
			others = append(others, h)
		}
	}
	broken, asks := leader, others[0]
	if victim == "follower" {
		broken, asks = others[0], others[1]
	}
	c.say("%s: %s of the %s (%s), asked from %s and w1", c.kind.name, f.title, victim, broken, asks)
	local := "https://127.0.0.1:" + c.kind.port
	var mu sync.Mutex
	var rows []row
	var failed error
	var wg sync.WaitGroup
	for host, ways := range map[string]map[string]string{
		asks: {ownDoor: local, itself: "https://127.0.0.1:6443"},
		"w1": {workerDoor: local, pods: "https://10.96.0.1:443"},
	} {
		wg.Go(func() {
			r, err := c.ask(ctx, host, ways)
			mu.Lock()
			defer mu.Unlock()
			if rows = append(rows, r...); err != nil {
				failed = err
			}
		})
	}
	time.Sleep(before)
	begun := time.Now()
	if err := f.begin(ctx, c, broken); err != nil {
		return result{}, err
	}
	wg.Wait()
	notReady, err := c.notReady(ctx, asks, broken, begun)
	err = errors.Join(err, f.end(ctx, c, broken), failed)
	return result{Kind: c.kind.name, Fault: f.title, Victim: victim, Rows: rows, NotReady: notReady}, err
}
