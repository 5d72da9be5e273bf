package layout_test

import (
	"os/exec"
	"reflect"
	"strings"
	"testing"

	"quorate.dev/quorate/internal/layout"
	"quorate.dev/quorate/internal/model"
)

func TestLayoutsAreValid(t *testing.T) {
	for _, l := range []layout.Layout{layout.Systemd(), layout.Kubeadm()} {
		if err := l.Validate(); err != nil {
			t.Fatal(err)
		}
	}
}

// Every string of a layout is checked and reaches the scripts: each is made
// unusable in turn, and Validate names it.
func TestValidateChecksEveryField(t *testing.T) {
	var spoil func(v reflect.Value, at string, bad []string, check func(string))
	spoil = func(v reflect.Value, at string, bad []string, check func(string)) {
		switch v.Kind() {
		case reflect.Struct:
			for i := range v.NumField() {
				spoil(v.Field(i), at+"."+v.Type().Field(i).Name, bad, check)
			}
		case reflect.Array, reflect.Slice:
			for i := range v.Len() {
				spoil(v.Index(i), at+"[]", bad, check)
			}
		case reflect.String:
			good := v.String()
			for _, b := range bad {
				v.SetString(b)
				check(at)
			}
			v.SetString(good)
		case reflect.Bool: // no text of a script
		default:
			t.Fatalf("%s is a %s, which no script can take", at, v.Kind())
		}
	}
	l := layout.Systemd()
	bad := []string{"", "/a b", "/a'b", `/a"b`, "/a$b", "/a;b", "/a\nb", "/a/../b", "/a/"}
	spoil(reflect.ValueOf(&l).Elem(), "Layout", bad, func(at string) {
		err := l.Validate()
		if err == nil {
			t.Errorf("%s is not checked", at)
		} else if !strings.Contains(err.Error(), "give a") {
			t.Errorf("%s: %q does not say what to do", at, err)
		}
	})
	if err := l.Validate(); err != nil {
		t.Fatalf("after the trials: %v", err)
	}
}

func TestScriptAssigns(t *testing.T) {
	l := layout.Systemd()
	out, err := exec.Command("sh", "-euc", l.Script(`echo "$AT_ETCD_DATA $UNIT_FRONT_DOOR ${PORT_API_SERVER} $AT_FOREIGN"`)).CombinedOutput()
	want := l.Etcd.Data + " " + l.Unit(model.FrontDoor) + " " + l.APIServer.Port + " " + strings.Join(l.Foreign, " ") + "\n"
	if err != nil || string(out) != want {
		t.Errorf("%v: %s; want %s", err, out, want)
	}
}

func TestUnitsAreDistinct(t *testing.T) {
	l, seen := layout.Systemd(), map[string]model.Component{}
	for c := range model.NumComponents {
		if other, twice := seen[l.Service(c)]; twice {
			t.Errorf("%s and %s are both %s", other, c, l.Service(c))
		}
		seen[l.Service(c)] = c
	}
}

func TestLeaf(t *testing.T) {
	keys := layout.Systemd().PKI
	for name, want := range map[string]layout.Pair{
		"apiserver": {Cert: keys.Dir + "/apiserver.crt", Key: keys.Dir + "/apiserver.key"},
		"etcd-peer": {Cert: keys.Dir + "/etcd/peer.crt", Key: keys.Dir + "/etcd/peer.key"},
	} {
		if got := keys.Leaf(name); got != want {
			t.Errorf("%s lies at %v, want %v", name, got, want)
		}
	}
}
