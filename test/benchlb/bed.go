package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"text/template"
	"time"

	"quorate.dev/quorate/internal/balancer/config"
	"quorate.dev/quorate/internal/balancer/lbtest"
)

// target is a way to the backends.
type target struct {
	name    string
	address string
	pid     int // of the balancer, with whose children CPU and memory are counted
}

type bed struct {
	dir       string
	certs     *lbtest.Certificates
	addresses []string
	targets   []target
	running   []*exec.Cmd
}

func newBed(o options) (*bed, error) {
	dir, err := os.MkdirTemp("", "benchlb")
	if err != nil {
		return nil, err
	}
	b := &bed{dir: dir}
	if b.certs, err = lbtest.NewCertificates(dir); err == nil {
		err = b.startBackends()
	}
	for _, name := range o.only {
		if err != nil {
			break
		}
		err = b.start(name, o)
	}
	if err != nil {
		b.close()
		return nil, err
	}
	return b, nil
}

func (b *bed) close() {
	for _, c := range slices.Backward(b.running) {
		_ = c.Process.Signal(syscall.SIGINT)
		done := time.AfterFunc(5*time.Second, func() { _ = c.Process.Kill() })
		_ = c.Wait()
		done.Stop()
	}
	os.RemoveAll(b.dir)
}

func (b *bed) startBackends() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self, "-serve", b.dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	b.running = append(b.running, cmd)
	lines := bufio.NewScanner(out)
	for len(b.addresses) < backends && lines.Scan() {
		b.addresses = append(b.addresses, lines.Text())
	}
	if len(b.addresses) < backends {
		return errors.New("the backends did not start")
	}
	return nil
}

func (b *bed) start(name string, o options) error {
	if name == "direct" {
		b.targets = append(b.targets, target{name: name, address: b.addresses[0]})
		return nil
	}
	address, err := lbtest.FreePort()
	if err != nil {
		return err
	}
	var cmd *exec.Cmd
	path := filepath.Join(b.dir, name+".conf")
	switch name {
	case "nginx":
		if err := b.render(path, nginxConf, address); err != nil {
			return err
		}
		cmd = exec.Command("nginx", "-p", b.dir, "-c", path, "-g", "daemon off;", "-e", filepath.Join(b.dir, "nginx.log"))
	case "haproxy":
		if err := b.render(path, haproxyConf, address); err != nil {
			return err
		}
		cmd = exec.Command("haproxy", "-db", "-f", path)
	case "ours":
		if err := b.renderOurs(path, address); err != nil {
			return err
		}
		program, err := filepath.Abs(o.lb)
		if err != nil {
			return err
		}
		cmd = exec.Command(program, "-config", path)
	default:
		return fmt.Errorf("there is no target %q", name)
	}
	log, err := os.Create(filepath.Join(b.dir, name+".out"))
	if err != nil {
		return err
	}
	defer log.Close()
	cmd.Stderr, cmd.Stdout = log, log
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("%s: %w; next: install it, or leave it out with -only", name, err)
	}
	b.running = append(b.running, cmd)
	b.targets = append(b.targets, target{name, address, cmd.Process.Pid})
	for range 100 {
		if c, err := b.dial(address); err == nil {
			c.Close()
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	text, _ := os.ReadFile(log.Name())
	return fmt.Errorf("%s does not answer on %s:\n%s", name, address, text)
}

func (b *bed) render(path, text, address string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return template.Must(template.New("").Parse(text)).Execute(f, map[string]any{
		"Dir": b.dir, "Address": address, "Backends": b.addresses, "CA": b.certs.CA, "Connections": mostConnections(),
	})
}

// mostConnections is what the descriptors suffice for, two a connection:
// haproxy refuses to start with more.
func mostConnections() int {
	var r syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r) != nil {
		return 1000
	}
	return int(min(r.Max, 1<<16)) / 3
}

func (b *bed) renderOurs(path, address string) error {
	w := config.Way{Name: "bench", Listen: []string{address}, MaxConnections: wanted + spare,
		Check: config.Check{Kind: config.KindReadyz, CA: b.certs.CA}}
	for i, a := range b.addresses {
		w.Backends = append(w.Backends, config.Backend{Name: "s" + strconv.Itoa(i+1), Address: a})
	}
	admin, err := lbtest.FreePort()
	if err != nil {
		return err
	}
	text, err := config.File{Admin: config.Admin{Listen: admin}, Ways: []config.Way{w}}.Marshal()
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o600)
}

// As quorate's front door has it, without the health server.
const nginxConf = `
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
worker_processes auto;
pid {{.Dir}}/nginx.pid;
events { worker_connections 16384; multi_accept on; }
stream {
  upstream api { least_conn; {{range .Backends}}server {{.}} max_fails=2 fail_timeout=5s; {{end}} }
  server {
    listen {{.Address}} reuseport so_keepalive=30s:10s:3;
    proxy_pass api; proxy_connect_timeout 1s; proxy_timeout 1h; proxy_socket_keepalive on; proxy_next_upstream on;
  }
}
`

const haproxyConf = `
global
  maxconn {{.Connections}}
defaults
  mode tcp
  timeout connect 1s
  timeout client 1h
  timeout server 1h
  option redispatch
  option splice-auto
frontend f
  bind {{.Address}}
  default_backend b
backend b
  balance leastconn
  option httpchk GET /readyz
  default-server check check-ssl ca-file {{.CA}} inter 250ms fall 2 rise 2 on-marked-down shutdown-sessions
{{range $i, $a := .Backends}}  server s{{$i}} {{$a}}
{{end}}`

// family is a process and its children: nginx works in those.
func family(pid int) []int {
	all := []int{pid}
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, path := range tasks {
		text, _ := os.ReadFile(path)
		for _, f := range strings.Fields(string(text)) {
			if child, err := strconv.Atoi(f); err == nil {
				all = append(all, family(child)...)
			}
		}
	}
	return all
}

// cpu is the time that a balancer has worked: user and system.
func cpu(pid int) (total time.Duration) {
	if pid == 0 {
		return 0
	}
	for _, p := range family(pid) {
		// schedstat counts nanoseconds, stat only hundredths of a second.
		tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", p))
		for _, path := range tasks {
			text, _ := os.ReadFile(path)
			if f := strings.Fields(string(text)); len(f) > 0 {
				n, _ := strconv.ParseInt(f[0], 10, 64)
				total += time.Duration(n)
			}
		}
	}
	return total
}

// memory is the proportional set size, in bytes.
func memory(pid int) (total float64) {
	if pid == 0 {
		return 0
	}
	for _, p := range family(pid) {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", p))
		for line := range strings.Lines(string(text)) {
			if f := strings.Fields(line); len(f) > 1 && f[0] == "Pss:" {
				n, _ := strconv.ParseFloat(f[1], 64)
				total += n * 1024
			}
		}
	}
	return total
}

// descriptors is how many files a process has open.
func descriptors(pid int) int {
	all, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	return len(all)
}
