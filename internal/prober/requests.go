package prober

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const configMaps = "/api/v1/namespaces/kube-system/configmaps"

func (p *Prober) mapName(i int) string { return fmt.Sprintf("quorate-probe-%s-%d", p.cfg.Run, i) }

// object is what the prober must know of a ConfigMap.
type object struct {
	APIVersion string            `json:"apiVersion,omitempty"`
	Kind       string            `json:"kind,omitempty"`
	Metadata   map[string]any    `json:"metadata,omitempty"`
	Data       map[string]string `json:"data,omitempty"`
}

// do sends one request; an answer that is no success is an error.
func (p *Prober) do(ctx context.Context, client *http.Client, method, path, kind string, body any, into any) error {
	var send io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		send = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, "https://"+p.cfg.TLS.ServerName+path, send)
	if err != nil {
		return err
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode >= 300 {
		return &status{res.StatusCode, strings.TrimSpace(string(text[:min(len(text), 200)]))}
	}
	if into != nil {
		return json.Unmarshal(text, into)
	}
	return nil
}

type status struct {
	code int
	text string
}

func (s *status) Error() string { return fmt.Sprintf("HTTP %d: %s", s.code, s.text) }

func is(err error, code int) bool {
	var s *status
	return errors.As(err, &s) && s.code == code
}

func (p *Prober) create(ctx context.Context, i int) error {
	ctx, cancel := context.WithTimeout(ctx, p.cfg.Limit)
	defer cancel()
	client := p.client()
	defer client.CloseIdleConnections()
	err := p.do(ctx, client, http.MethodPost, configMaps, "application/json", object{APIVersion: "v1", Kind: "ConfigMap",
		Metadata: map[string]any{"name": p.mapName(i)}}, nil)
	if is(err, http.StatusConflict) {
		return nil
	}
	return err
}

// read reads before the n-th write; that there is no ConfigMap yet is an answer
// too.
func (p *Prober) read(ctx context.Context, client *http.Client, n int) error {
	_, err := p.get(ctx, client, n, readSlot(n))
	if is(err, http.StatusNotFound) {
		return nil
	}
	return err
}

// get reads a ConfigMap.
func (p *Prober) get(ctx context.Context, client *http.Client, as, i int) (got object, err error) {
	call := time.Now()
	err = p.do(ctx, client, http.MethodGet, configMaps+"/"+p.mapName(i), "", nil, &got)
	seen := err
	if is(err, http.StatusNotFound) {
		seen = nil // it holds nothing
	}
	p.record(Op{Client: as, Key: p.mapName(i), Value: got.Data[register]}, call, seen)
	return got, err
}

// write writes, and makes the ConfigMap first where there is none.
func (p *Prober) write(ctx context.Context, client *http.Client, n int) error {
	err := p.patch(ctx, client, n)
	if !is(err, http.StatusNotFound) {
		return err
	}
	if err := p.create(ctx, slot(n)); err != nil {
		return err
	}
	return p.patch(ctx, client, n)
}

func (p *Prober) patch(ctx context.Context, client *http.Client, n int) error {
	call, value := time.Now(), strconv.Itoa(n)
	err := p.do(ctx, client, http.MethodPatch, configMaps+"/"+p.mapName(slot(n)), "application/merge-patch+json",
		object{Data: map[string]string{value: "1", register: value}}, nil)
	p.record(Op{Client: n, Write: true, Key: p.mapName(slot(n)), Value: value}, call, err)
	return err
}

// readBack finds the acknowledged writes again. It waits for a cluster that
// cannot answer at once.
func (p *Prober) readBack(ctx context.Context) error {
	maps := map[int]bool{0: true}
	for _, n := range p.acked {
		maps[slot(n)] = true
	}
	found := map[int]bool{}
	client := p.client()
	defer client.CloseIdleConnections()
	for i := range maps {
		var got object
		err := retry(ctx, func() (err error) {
			got, err = p.get(ctx, client, -1, i)
			return err
		})
		if err != nil && !is(err, http.StatusNotFound) {
			return fmt.Errorf("read the probe's writes back: %w", err)
		}
		for k := range got.Data {
			if n, err := strconv.Atoi(k); err == nil {
				found[n] = true
			}
		}
	}
	p.report.Lost = lost(p.acked, found)
	for i := range maps {
		if err := retry(ctx, func() error {
			return p.do(ctx, client, http.MethodDelete, configMaps+"/"+p.mapName(i), "", nil,
				nil)
		}); err != nil && !is(err, http.StatusNotFound) {
			return fmt.Errorf("delete the probe's ConfigMap: %w", err)
		}
	}
	return nil
}

// retry tries for half a minute; an answer of the server's is final.
func retry(ctx context.Context, try func() error) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		err := try()
		var s *status
		if err == nil || errors.As(err, &s) && s.code < 500 && s.code != http.StatusTooManyRequests {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(250 * time.Millisecond):
		}
	}
}

// watch holds a watch open, and counts how often it breaks. The server ends
// watches by itself after half an hour at the earliest.
func (p *Prober) watch(ctx context.Context) {
	defer p.group.Done()
	client := p.client()
	defer client.CloseIdleConnections()
	for ctx.Err() == nil {
		began, err := p.watchOnce(ctx, client)
		if ctx.Err() != nil {
			return
		}
		if began {
			p.mu.Lock()
			p.report.WatchBreaks++
			if err != nil && p.report.WatchBreaks <= keepBreaks {
				p.report.Errors = append(p.report.Errors, time.Now().UTC().Format("15:04:05.000")+" watch: "+err.Error())
			}
			p.mu.Unlock()
		}
		client.CloseIdleConnections()
		select {
		case <-ctx.Done():
		case <-time.After(p.cfg.Every):
		}
	}
}

func (p *Prober) watchOnce(ctx context.Context, client *http.Client) (began bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+p.cfg.TLS.ServerName+configMaps+
		"?watch=true&fieldSelector=metadata.name="+p.mapName(0), nil)
	if err != nil {
		return false, err
	}
	res, err := client.Do(req)
	if err != nil {
		return false, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return false, &status{res.StatusCode, res.Status}
	}
	lines := bufio.NewReader(res.Body)
	for {
		if _, err := lines.ReadBytes('\n'); err != nil {
			return true, err
		}
	}
}
