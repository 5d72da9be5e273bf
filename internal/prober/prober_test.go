package prober

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// apiServer keeps ConfigMaps as an API server does, and can be told to lose
// what it acknowledges.
type apiServer struct {
	mu     sync.Mutex
	maps   map[string]map[string]string
	forgot int // the write that was acknowledged and not kept
}

func (a *apiServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if r.URL.Query().Get("watch") != "" {
		return // a watch that breaks at once
	}
	var o object
	_ = json.NewDecoder(r.Body).Decode(&o) // GET and DELETE have none
	name := path.Base(r.URL.Path)
	if r.Method == http.MethodPost {
		name := o.Metadata["name"].(string)
		if a.maps[name] != nil {
			http.Error(w, "it exists", http.StatusConflict)
		} else {
			a.maps[name] = map[string]string{}
		}
		return
	}
	data, there := a.maps[name]
	switch {
	case !there:
		http.Error(w, "not found", http.StatusNotFound)
		return
	case r.Method == http.MethodPatch:
		for k, v := range o.Data {
			if n, err := strconv.Atoi(k); err == nil && a.forgot < 0 {
				a.forgot = n
			} else {
				data[k] = v
			}
		}
	case r.Method == http.MethodDelete:
		delete(a.maps, name)
	}
	_ = json.NewEncoder(w).Encode(object{Data: data})
}

func TestProber(t *testing.T) {
	api := &apiServer{maps: map[string]map[string]string{}, forgot: -1}
	server := httptest.NewTLSServer(api)
	defer server.Close()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	n := 0
	var mu sync.Mutex
	p, err := Start(t.Context(), Config{Run: "t", Every: 10 * time.Millisecond, Limit: time.Minute,
		TLS: &tls.Config{RootCAs: roots, ServerName: "example.com"},
		Dial: func(ctx context.Context) (net.Conn, error) {
			mu.Lock()
			n++
			dial := n
			mu.Unlock()
			if dial%10 == 7 {
				return nil, errors.New("refused, says the test")
			}
			return (&net.Dialer{}).DialContext(ctx, "tcp", server.Listener.Addr().String())
		}})
	if err != nil {
		t.Fatal(err)
	}
	for enough := false; !enough; time.Sleep(5 * time.Millisecond) {
		p.mu.Lock()
		enough = p.report.Writes > 20 && p.report.Failures > 0 && p.report.WatchBreaks > 0
		p.mu.Unlock()
	}
	r, err := p.Stop(t.Context())
	if err != nil {
		// The read-back itself may have met the refusing dial.
		t.Fatal(err)
	}
	if !slices.Equal(r.Lost, []int{api.forgot}) {
		t.Errorf("lost writes: %v; the server forgot %d", r.Lost, api.forgot)
	}
	if r.LongestGap <= 0 || r.Requests < r.Writes+r.Failures {
		t.Errorf("report does not add up: %+v", r)
	}
	if !strings.Contains(strings.Join(r.Errors, " "), "refused, says the test") {
		t.Errorf("errors: %v", r.Errors)
	}
	if len(api.maps) != 0 {
		t.Errorf("left behind: %v", slices.Collect(maps.Keys(api.maps)))
	}
}
