package admin

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"net/http"
	"os"
	"strings"
	"time"

	"quorate.dev/quorate/internal/balancer"
	"quorate.dev/quorate/internal/balancer/health"
	"quorate.dev/quorate/internal/balancer/vip"
)

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"ago": ago, "bytes": size, "ms": milliseconds, "clock": clock, "line": sparkline, "tone": tone,
	"dropped": func(v vip.View) (n int64) {
		for d := range vip.NumDrops {
			n += v.Counts.Dropped[d].Load()
		}
		return n
	},
	"last": func(all []float64) string {
		if len(all) == 0 {
			return "0"
		}
		return fmt.Sprintf("%.0f", all[len(all)-1])
	},
	"newest": func(all []balancer.Change) []balancer.Change {
		var turned []balancer.Change
		for i := len(all) - 1; i >= 0 && len(turned) < 30; i-- {
			turned = append(turned, all[i])
		}
		return turned
	},
}).Parse(pageText))

func page(w http.ResponseWriter, v balancer.View, vips []vip.View, version string) {
	host, _ := os.Hostname()
	var text bytes.Buffer
	err := pageTemplate.Execute(&text, struct {
		balancer.View
		VIPs          []vip.View
		Version, Host string
		Now           time.Time
	}{v, vips, version, host, time.Now()})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; "+
		"frame-ancestors 'none'")
	_, _ = w.Write(text.Bytes())
}

func ago(t time.Time) string {
	d := time.Since(t)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", max(0, int(d.Seconds())))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%d days", int(d.Hours())/24)
}

func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05.000Z") }

func size(n int64) string {
	const unit = 1024
	f, i := float64(n), 0
	for ; f >= unit && i < 5; i++ {
		f /= unit
	}
	if i == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %ciB", f, "KMGTP"[i-1])
}

func milliseconds(d time.Duration) string {
	switch {
	case d == 0:
		return "–"
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.1f ms", d.Seconds()*1e3)
	}
	return fmt.Sprintf("%d ms", d.Milliseconds())
}

// tone is the colour of a backend's state.
func tone(b balancer.BackendView) string {
	switch {
	case b.Held != "", b.State == health.NotReady, b.State == health.Unknown:
		return "warn"
	case b.State == health.Gone, b.State == health.Barred:
		return "bad"
	case b.Draining, b.Mode != health.Used:
		return "idle"
	}
	return "good"
}

// sparkline is the points of a polyline in a box of 240 × 40.
func sparkline(all []float64) string {
	most := 1.0
	for _, v := range all {
		most = max(most, v)
	}
	var points strings.Builder
	for i, v := range all {
		fmt.Fprintf(&points, "%.1f,%.1f ", float64(i+120-len(all))*2, 38-36*v/most)
	}
	return points.String()
}
