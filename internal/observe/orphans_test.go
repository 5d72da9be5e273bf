package observe

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"quorate.dev/quorate/internal/etcd"
	"quorate.dev/quorate/internal/model"
)

// Members that the file does not name are found where etcd knows them: those of
// a list that a quorum agreed to, with a name of their own, at an address of
// their own.
func TestStrangers(t *testing.T) {
	o, _ := observer(t, nil) // cp1 to cp3 at 192.0.2.1 to 3
	members := map[model.HostID]etcd.Member{}
	for name, url := range map[string]string{
		"cp1": "https://192.0.2.1:2380", "cp4": "https://192.0.2.4:2380", "cp6": "https://[2001:db8::6]:2380",
		"renamed": "https://192.0.2.2:2380", // cp2 by an old name: it is met already
		"unclear": "",
	} {
		members[model.HostID(name)] = etcd.Member{Name: name, PeerURLs: []string{url}}
	}
	members["192.0.2.5"] = etcd.Member{PeerURLs: []string{"https://192.0.2.5:2380"}} // never started
	for _, c := range []struct {
		view EtcdView
		want []string
	}{
		{EtcdView{Members: members, Agreed: true}, []string{"cp4 192.0.2.4", "cp6 2001:db8::6"}},
		{EtcdView{Members: members}, nil},
		{EtcdView{Members: members, Agreed: true, Err: errors.New("no list")}, nil},
	} {
		var got []string
		for _, d := range c.view.orphans(o.File) {
			got = append(got, fmt.Sprint(d.Name, " ", d.Address))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("strangers (agreed: %v, error: %v): %v, want %v", c.view.Agreed, c.view.Err, got, c.want)
		}
	}
}
