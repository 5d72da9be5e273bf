package prober_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"sync"
	"testing"
	"time"

	"quorate.dev/quorate/internal/prober"
	"quorate.dev/quorate/test/history"
)

// troubled is an API server that answers too late, refuses, loses its answers,
// and, when it is told to, its mind.
type troubled struct {
	mu    sync.Mutex
	maps  map[string]map[string]string
	took  map[string]bool // values of the register that had their effect
	asked int
	stale bool // from now on reads find what was there when it was set
	old   map[string]string
}

type configMap struct {
	Metadata map[string]any    `json:"metadata,omitempty"`
	Data     map[string]string `json:"data"`
}

func (s *troubled) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Query().Get("watch") != "" {
		return
	}
	var o configMap
	_ = json.NewDecoder(r.Body).Decode(&o)
	code, data := s.answer(r.Method, path.Base(r.URL.Path), o)
	if code != http.StatusOK {
		http.Error(w, "trouble", code)
		return
	}
	_ = json.NewEncoder(w).Encode(configMap{Data: data})
}

func (s *troubled) answer(method, name string, o configMap) (int, map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	data, there := s.maps[name]
	switch method {
	case http.MethodPost:
		name := o.Metadata["name"].(string)
		if s.maps[name] == nil {
			s.maps[name] = map[string]string{}
		}
		return http.StatusOK, nil
	case http.MethodDelete:
		return http.StatusOK, nil
	case http.MethodPatch:
		trouble := s.asked % 7
		if !there {
			return http.StatusNotFound, nil
		} else if trouble == 1 {
			return http.StatusTooManyRequests, nil
		} else if trouble == 2 {
			return http.StatusGatewayTimeout, nil // and it had no effect
		}
		for k, v := range o.Data {
			data[k] = v
		}
		s.took[o.Data["last"]] = true
		if trouble == 3 {
			return http.StatusInternalServerError, nil // and it had its effect
		}
	}
	if !there {
		return http.StatusNotFound, nil
	}
	got := map[string]string{}
	for k, v := range data {
		got[k] = v
	}
	if s.stale && method == http.MethodGet {
		got["last"] = s.old[name]
	}
	return http.StatusOK, got
}

func TestHistory(t *testing.T) {
	for _, stale := range []bool{false, true} {
		s := &troubled{maps: map[string]map[string]string{}, took: map[string]bool{}, old: map[string]string{}}
		server := httptest.NewTLSServer(s)
		defer server.Close()
		roots := x509.NewCertPool()
		roots.AddCert(server.Certificate())
		var mu sync.Mutex
		var dials int
		var ops []prober.Op
		seen := func() int { mu.Lock(); defer mu.Unlock(); return len(ops) }
		p, err := prober.Start(t.Context(), prober.Config{Run: "t", Every: 10 * time.Millisecond, Limit: time.Minute,
			TLS:    &tls.Config{RootCAs: roots, ServerName: "example.com"},
			Record: func(op prober.Op) { mu.Lock(); ops = append(ops, op); mu.Unlock() },
			Dial: func(ctx context.Context) (net.Conn, error) {
				mu.Lock()
				dials++
				refuse := dials%10 == 7
				mu.Unlock()
				if refuse {
					return nil, errors.New("refused, says the test")
				}
				return (&net.Dialer{}).DialContext(ctx, "tcp", server.Listener.Addr().String())
			}})
		if err != nil {
			t.Fatal(err)
		}
		for seen() < 200 {
			time.Sleep(time.Millisecond)
		}
		s.mu.Lock()
		for name, data := range s.maps {
			s.old[name] = data["last"]
		}
		s.stale = stale
		s.mu.Unlock()
		for before := seen(); seen() < before+200; {
			time.Sleep(time.Millisecond)
		}
		report, err := p.Stop(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		want := history.Linearizable
		if stale {
			want = history.Violated
		}
		r := history.Check(ops, time.Minute)
		if r.Verdict != want {
			t.Errorf("stale reads: %v; %s", stale, r)
		}
		if len(report.Lost) > 0 {
			t.Errorf("lost, says the report: %v", report.Lost)
		}
		count := map[prober.Outcome]int{}
		for _, op := range ops {
			if !op.Write {
				continue
			}
			count[op.Outcome]++
			if took := s.took[op.Value]; op.Outcome == prober.Done && !took {
				t.Errorf("write %s is told to be done, and was not", op.Value)
			} else if i := slices.IndexFunc(ops, func(o prober.Op) bool {
				return o.Write && o.Value == op.Value &&
					o.Outcome != prober.Refused
			}); op.Outcome == prober.Refused && took && i < 0 {
				t.Errorf("write %s is told to be refused, and was not", op.Value)
			}
			if op.Return < op.Call {
				t.Errorf("it ended before it began: %+v", op)
			}
		}
		if count[prober.Done] == 0 || count[prober.Refused] == 0 || count[prober.Unknown] == 0 || !stale && r.Open == 0 {
			t.Errorf("not all that can happen has: %v, %s", count, r)
		}
	}
}
