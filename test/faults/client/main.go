// Command client is what a faulty cluster's users are: it runs on a lab host
// and asks an API server through several ways at once, with new connections, on
// standing ones and by a watch. It reads a Job from stdin and writes a Report.
package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// Job is what to ask, and for how long.
type Job struct {
	Ways    map[string]string // URL by name
	CA      []byte            // PEM
	Cert    []byte
	Key     []byte
	Server  string  // the name by which the server's certificate is checked
	Maps    string  // path of the ConfigMaps; those of the clients are labelled "faults"
	Object  string  // name of the ConfigMap that is read; each writer makes one of its own, with this as prefix
	Seconds float64 // how long to ask
	Limit   float64 // seconds after which a request has failed
}

// Row is what one client noticed on one way.
type Row struct {
	Way, Client string
	Requests    int
	Failed      int     // within the limit
	Slow        int     // took over a second, or failed
	Longest     float64 // seconds, of a request that was answered
	Gap         float64 // longest time between two answers on one connection, in seconds
	GapAt       float64 // seconds after the start, when that gap began
	First       string  // the first failure
}

func main() {
	var job Job
	if err := json.NewDecoder(os.Stdin).Decode(&job); err != nil {
		fmt.Fprintln(os.Stderr, "client: read the job:", err)
		os.Exit(1)
	}
	rows, err := run(job)
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(rows)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "client:", err)
		os.Exit(1)
	}
}

// tally counts one row.
type tally struct {
	mu    sync.Mutex
	row   Row
	begun time.Time
}

// line is a connection, or all new ones together: the time between its answers
// is what its user feels.
type line struct {
	*tally
	last time.Time
}

func (t *tally) line() *line { return &line{t, time.Now()} }

func (t *line) answered(took time.Duration, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.row.Requests++
	if err != nil {
		t.row.Failed++
		t.row.Slow++
		if t.row.First == "" {
			t.row.First = err.Error()
		}
		return
	}
	if took > time.Second {
		t.row.Slow++
	}
	t.row.Longest = max(t.row.Longest, took.Seconds())
	t.gap()
}

// gap ends one gap and begins the next.
func (t *line) gap() {
	now := time.Now()
	if d := now.Sub(t.last).Seconds(); d > t.row.Gap {
		t.row.Gap, t.row.GapAt = d, t.last.Sub(t.begun).Seconds()
	}
	t.last = now
}

func (t *line) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.gap()
}

func run(job Job) ([]Row, error) {
	pair, err := tls.X509KeyPair(job.Cert, job.Key)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(job.CA)
	conf := &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}, ServerName: job.Server, NextProtos: []string{"h2", "http/1.1"}}
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(job.Seconds*float64(time.Second)))
	defer cancel()
	var tallies []*tally
	var wg sync.WaitGroup
	limit := time.Duration(job.Limit * float64(time.Second))
	host, err := os.Hostname()
	if err != nil {
		return nil, err
	}
	for i, way := range slices.Sorted(maps.Keys(job.Ways)) {
		url := job.Ways[way] + job.Maps
		read := func(int) string { return url + "/" + job.Object }
		own := func(n int) string { return fmt.Sprintf("%s-%s-%d-%d", job.Object, host, i, n) }
		for n := range writers {
			if err := create(conf, url, own(n), limit); err != nil {
				return nil, err
			}
		}
		for _, c := range []struct {
			name string
			ask  func(context.Context, *tally)
		}{
			{"new", func(ctx context.Context, t *tally) { fresh(ctx, conf, read(0), limit, t) }},
			{"standing reads", func(ctx context.Context, t *tally) { standing(ctx, conf, http.MethodGet, readers, read, limit, t) }},
			{"standing writes", func(ctx context.Context, t *tally) {
				standing(ctx, conf, http.MethodPatch, writers, func(n int) string { return url + "/" + own(n) }, limit, t)
			}},
			{"watch", func(ctx context.Context, t *tally) { watch(ctx, conf, url+"?watch=1&labelSelector=faults", t) }},
		} {
			t := &tally{row: Row{Way: way, Client: c.name}, begun: time.Now()}
			tallies = append(tallies, t)
			wg.Go(func() { c.ask(ctx, t) })
		}
	}
	wg.Wait()
	var rows []Row
	for _, t := range tallies {
		rows = append(rows, t.row)
	}
	return rows, nil
}

// transport is HTTP/2 with client-go's health checks: a ping after 30 s without
// a frame, given up after 15 s (k8s.io/apimachinery/pkg/util/net).
func transport(conf *tls.Config) *http.Transport {
	t := &http.Transport{TLSClientConfig: conf.Clone(), DialContext: (&net.Dialer{Timeout: 30 * time.Second,
		KeepAlive: 30 * time.Second}).DialContext,
		Protocols: new(http.Protocols), HTTP2: &http.HTTP2Config{SendPingTimeout: 30 * time.Second, PingTimeout: 15 * time.Second}}
	t.Protocols.SetHTTP2(true)
	return t
}

// create makes a writer's ConfigMap; one of an earlier trial will do.
func create(conf *tls.Config, url, name string, limit time.Duration) error {
	c := &http.Client{Transport: transport(conf), Timeout: limit}
	defer c.CloseIdleConnections()
	resp, err := c.Post(url, "application/json", strings.NewReader(fmt.Sprintf(
		`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":%q,"labels":{"faults":""}},"data":{"at":"0"}}`, name)))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusCreated && resp.StatusCode != http.StatusConflict {
		return fmt.Errorf("create ConfigMap %s: %s", name, resp.Status)
	}
	return nil
}

func ask(c *http.Client, method, url string, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	var body io.Reader
	if method == http.MethodPatch {
		body = strings.NewReader(fmt.Sprintf(`{"data":{"at":"%d"}}`, time.Now().UnixNano()))
	}
	r, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return err
	}
	if method == http.MethodPatch {
		r.Header.Set("Content-Type", "application/merge-patch+json")
	}
	resp, err := c.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", method, resp.Status)
	}
	return nil
}

// fresh asks five times a second, each time on a connection of its own, also
// while earlier requests have no answer yet.
func fresh(ctx context.Context, conf *tls.Config, url string, limit time.Duration, t *tally) {
	l := t.line()
	var wg sync.WaitGroup
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-tick.C:
			wg.Go(func() {
				tr := transport(conf)
				defer tr.CloseIdleConnections()
				begun := time.Now()
				err := ask(&http.Client{Transport: tr}, http.MethodGet, url, limit)
				l.answered(time.Since(begun), err)
			})
		}
	}
	wg.Wait()
	l.end()
}

// How many connections stand for each kind of request and way. More of them, or
// more requests, and on two cores it is the clients that are measured.
const readers, writers = 4, 2

// standing asks four times a second on each of its connections, each kept as
// long as it lives, one request after the other on each.
func standing(ctx context.Context, conf *tls.Config, method string, lines int, url func(int) string, limit time.Duration, t *tally) {
	var wg sync.WaitGroup
	for n := range lines {
		wg.Go(func() {
			c, l := &http.Client{Transport: transport(conf)}, t.line()
			for ctx.Err() == nil {
				begun := time.Now()
				err := ask(c, method, url(n), limit)
				l.answered(time.Since(begun), err)
				time.Sleep(max(0, 250*time.Millisecond-time.Since(begun)))
			}
			l.end()
			c.CloseIdleConnections()
		})
	}
	wg.Wait()
}

// watch holds a watch of what all writers change, and begins it anew when it
// ends. An event is an answer; a break is a failure.
func watch(ctx context.Context, conf *tls.Config, url string, t *tally) {
	c := &http.Client{Transport: transport(conf)}
	l := t.line()
	for ctx.Err() == nil {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return
		}
		resp, err := c.Do(r)
		if err == nil {
			lines := bufio.NewScanner(resp.Body)
			lines.Buffer(nil, 1<<20)
			for lines.Scan() {
				l.answered(0, nil)
			}
			err = fmt.Errorf("watch ended: %v", lines.Err())
			resp.Body.Close()
		}
		if ctx.Err() == nil {
			l.answered(0, err)
			time.Sleep(100 * time.Millisecond)
		}
	}
	l.end()
}
