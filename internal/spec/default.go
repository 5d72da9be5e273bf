package spec

import (
	"cmp"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Default returns a copy of c in which absent keys have their defaults, ~ is
// the home folder, and relative paths start at dir. Hosts keep their own SSH
// fields only; HostSSH adds what spec.ssh says.
func Default(c *Cluster, dir string) *Cluster {
	out := *c
	if out.Spec.LoadBalancer.Kind == HAProxyBalancer && out.Spec.LoadBalancer.HAProxy == nil {
		out.Spec.LoadBalancer.HAProxy = &HAProxy{}
	}
	fillDefaults(reflect.ValueOf(&out).Elem())
	out.Spec.SSH = located(out.Spec.SSH, dir)
	if vip := out.Spec.LoadBalancer.VIP; vip != nil {
		vip.PasswordFile = locate(vip.PasswordFile, dir)
		vip.AdvertMilliseconds = cmp.Or(vip.AdvertMilliseconds, map[string]int{BuiltinBalancer: 100}[c.Spec.LoadBalancer.Kind], 1000)
	}
	if out.Spec.Network.cniIsFile() {
		out.Spec.Network.CNI = locate(out.Spec.Network.CNI, dir)
	}
	out.Spec.PatchesFolder = locate(out.Spec.PatchesFolder, dir)
	out.Spec.Hosts = slices.Clone(c.Spec.Hosts)
	for i := range out.Spec.Hosts {
		h := &out.Spec.Hosts[i]
		if h.InternalAddress == "" {
			h.InternalAddress = h.Address
		}
		if h.SSH != nil {
			s := located(*h.SSH, dir)
			h.SSH = &s
		}
	}
	return &out
}

// fillDefaults gives zero fields what their default tag says.
func fillDefaults(v reflect.Value) {
	for _, f := range fieldsOf(v.Type()) {
		fv, def := v.FieldByIndex(f.index), f.Tag.Get("default")
		switch {
		case fv.Kind() == reflect.Struct:
			fillDefaults(fv)
		case fv.Kind() == reflect.Pointer && !fv.IsNil():
			own := reflect.New(fv.Type().Elem())
			own.Elem().Set(fv.Elem())
			fv.Set(own)
			fillDefaults(own.Elem())
		case def == "" || !fv.IsZero():
		case fv.Kind() == reflect.String:
			fv.SetString(def)
		case fv.Kind() == reflect.Int:
			n, _ := strconv.Atoi(def)
			fv.SetInt(int64(n))
		}
	}
}

func located(s SSH, dir string) SSH {
	s.KeyFile = locate(s.KeyFile, dir)
	s.PasswordFile = locate(s.PasswordFile, dir)
	s.JumpPasswordFile = locate(s.JumpPasswordFile, dir)
	s.SudoPasswordFile = locate(s.SudoPasswordFile, dir)
	s.KnownHostsFile = locate(s.KnownHostsFile, dir)
	return s
}

// locate makes a path of the file one of this machine.
func locate(path, dir string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		home, err := os.UserHomeDir()
		if err != nil {
			return path
		}
		return filepath.Join(home, rest)
	}
	return filepath.Join(dir, path)
}

// cniIsFile says whether cni names a manifest rather than a built-in choice.
func (n Network) cniIsFile() bool {
	return strings.ContainsAny(n.CNI, "/\\") || isManifest(n.CNI)
}

func isManifest(path string) bool {
	return slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(path))
}
