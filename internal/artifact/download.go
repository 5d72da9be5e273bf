package artifact

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"time"
)

const (
	attempts = 5                // of one download, before it fails
	stall    = 60 * time.Second // without a byte, before a connection is given up
)

// gone is an answer that asking again will not change.
type gone struct {
	url, status string
}

func (e gone) Error() string {
	return fmt.Sprintf("%s: the server says %s; check the version, and artifacts.baseURLs when a mirror is used", e.url, e.status)
}

// download brings url to the file part, going on where an earlier attempt or
// run stopped: part is named after the digest that the whole must have.
func (u *Upstream) download(ctx context.Context, url, want, part string, tell telling) error {
	var last error
	for range attempts {
		if last != nil {
			tell("download", "again: "+last.Error(), 0, 0)
			select {
			case <-ctx.Done():
				return fmt.Errorf("%s: %w", url, ctx.Err())
			case <-time.After(u.pause):
			}
		}
		var definite gone
		resumed, err := u.attempt(ctx, url, part, tell)
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("%s: %w", url, ctx.Err())
		case errors.As(err, &definite):
			return err
		case err != nil:
			last = err
			continue
		}
		got, _, err := digest(part)
		if err != nil {
			return err
		}
		if got == want {
			return nil
		}
		if err := os.Remove(part); err != nil {
			return fmt.Errorf("remove a damaged download: %w", err)
		}
		last = fmt.Errorf("%s: its SHA-256 is %s, published is %s; the file was discarded: try again, or ask the operator of the server", url,
			got, want)
		if !resumed {
			return last // a whole download that is wrong will be wrong again
		}
	}
	return fmt.Errorf("gave up after %d attempts: %w", attempts, last)
}

// attempt appends to part what it lacks. resumed says that part was not empty
// before and was used.
func (u *Upstream) attempt(ctx context.Context, url, part string, tell telling) (resumed bool, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watch := time.AfterFunc(stall, func() { cancel(fmt.Errorf("no byte came for %s", stall)) })
	defer watch.Stop()

	f, err := os.OpenFile(part, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return false, fmt.Errorf("open download: %w", err)
	}
	defer f.Close()
	at, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return false, fmt.Errorf("open download: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false, gone{url, err.Error()}
	}
	if at > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", at))
	}
	resp, err := u.client.Do(req)
	if err != nil {
		return false, cut(ctx, url, err)
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusPartialContent && at > 0:
		resumed = true
	case resp.StatusCode == http.StatusOK:
		at = 0
		if err := f.Truncate(0); err != nil {
			return false, fmt.Errorf("start download over: %w", err)
		}
	case resp.StatusCode == http.StatusRequestedRangeNotSatisfiable:
		return true, nil // nothing is lacking; the digest tells whether it is right
	case resp.StatusCode >= 500 || resp.StatusCode == http.StatusTooManyRequests:
		return false, fmt.Errorf("%s: the server says %s", url, resp.Status)
	default:
		return false, gone{url, resp.Status}
	}
	if _, err := f.Seek(at, io.SeekStart); err != nil {
		return resumed, fmt.Errorf("go on with download: %w", err)
	}
	return resumed, save(ctx, f, at, resp, url, func(at, total int64) {
		watch.Reset(stall)
		tell("download", path.Base(url), int(at), int(total))
	})
}

// save appends an answer's body to a file of at bytes; total is 0 while it is
// not known.
func save(ctx context.Context, f *os.File, at int64, resp *http.Response, url string, grown func(at, total int64)) error {
	total := int64(0)
	if resp.ContentLength > 0 {
		total = at + resp.ContentLength
	}
	buf := make([]byte, 256<<10)
	for {
		n, err := resp.Body.Read(buf)
		if n > 0 {
			if _, err := f.Write(buf[:n]); err != nil {
				return fmt.Errorf("write download: %w", err)
			}
			at += int64(n)
			grown(at, total)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return cut(ctx, url, err)
		}
	}
}

// cut names the reason a transfer ended early.
func cut(ctx context.Context, url string, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	return fmt.Errorf("%s: %w", url, err)
}
