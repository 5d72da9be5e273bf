package etcd

import "net/url"

// HostOf is the address in a peer or client URL.
func HostOf(link string) string {
	u, err := url.Parse(link)
	if err != nil {
		return link
	}
	return u.Hostname()
}
