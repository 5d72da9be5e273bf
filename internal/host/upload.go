package host

import (
	"bufio"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

//go:embed upload.sh
var uploadScript string

// Upload streams a large file: one round trip to look what is there, one to
// send the rest. A broken upload leaves <path>.partial, which the next goes on
// with if it is truly a prefix. Two uploads to one path at a time spoil each
// other, and say so.
func (h *sshHost) Upload(ctx context.Context, from Blob, path string) (int64, error) {
	what := "upload " + path
	fail := func(err error) (int64, error) { return 0, Errorf(h.cfg.Name, "%s: %w", what, err) }
	if err := checkPath(path); err != nil {
		return fail(err)
	}
	f, err := os.Open(from.Path)
	if err != nil {
		return fail(err)
	}
	defer f.Close()
	if st, err := f.Stat(); err != nil || st.Size() != from.Size {
		return fail(fmt.Errorf("%s no longer has %d bytes: fetch it again (%v)", from.Path, from.Size, err))
	}
	mode, owner := fmt.Sprintf("%04o", File{Mode: from.Mode}.Perm()), quote(h.uploadOwner())
	there, err := h.script(ctx, what, Safe+uploadScript+fmt.Sprintf("frame there; look %s %d %s %s %s; frame_end\n",
		quote(path), from.Size, quote(from.SHA256), mode, owner), nil, nil)
	if err != nil {
		return 0, err
	}
	answer := strings.Fields(there.Text("there"))
	if len(answer) == 1 && answer[0] == "done" {
		return 0, nil
	}
	if len(answer) == 0 {
		return fail(errors.New("the host did not say what is there"))
	}
	start, err := resumeAt(f, from.Size, answer[1:])
	if err != nil {
		return fail(err)
	}
	fresh := "yes"
	if start > 0 {
		fresh = "no"
	}
	packed := pack(&watched{f, start, progressOf(ctx)}, answer[0])
	defer packed.Close()
	sent := &counter{Reader: packed}
	_, err = h.script(ctx, what, Safe+uploadScript+fmt.Sprintf("frame taken; take %s %s %s %s %s %s; frame_end\n",
		quote(path), fresh, quote(from.SHA256), mode, owner, answer[0]), sent, nil)
	var exit *ExitError
	switch {
	case errors.As(err, &exit) && strings.Contains(exit.Stderr, "another digest"):
		return sent.n.Load(), fmt.Errorf("%w: is %s still what its digest says? run it again", exit, from.Path)
	case errors.As(err, &exit):
		return sent.n.Load(), fmt.Errorf("%w%s", exit, hint(exit.Stderr))
	}
	return sent.n.Load(), err
}

func (h *sshHost) uploadOwner() string {
	if h.cfg.test.owner != "" {
		return h.cfg.test.owner
	}
	return "root:root"
}

// resumeAt leaves f where the host's partial file ends: size and digest of
// the partial are trusted only when f begins the same.
func resumeAt(f *os.File, size int64, partial []string) (int64, error) {
	if len(partial) != 2 {
		return 0, nil
	}
	n, err := strconv.ParseInt(partial[0], 10, 64)
	if err != nil || n > size {
		return 0, nil
	}
	sum := sha256.New()
	if _, err := io.CopyN(sum, f, n); err != nil {
		return 0, err
	}
	if hex.EncodeToString(sum.Sum(nil)) == partial[1] {
		return n, nil
	}
	_, err = f.Seek(0, io.SeekStart)
	return 0, err
}

// pack compresses as it is read.
func pack(r io.Reader, with string) io.ReadCloser {
	out, in := io.Pipe()
	go func() {
		var w io.WriteCloser
		var err error
		whole := bufio.NewWriterSize(in, 256<<10) // gzip writes crumbs, each would be a packet
		if with == "zstd" {
			w, err = zstd.NewWriter(whole, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(2))
		} else {
			w, err = gzip.NewWriterLevel(whole, gzip.BestSpeed)
		}
		if err == nil {
			_, err = io.Copy(plainWriter{w}, r)
			err = errors.Join(err, w.Close(), whole.Flush())
		}
		in.CloseWithError(err)
	}()
	return out
}

type progressKey struct{}

// WithProgress makes Upload tell how many bytes of its file the host has or are on
// the way there. The function is called often, from another goroutine.
func WithProgress(ctx context.Context, tell func(done int64)) context.Context {
	return context.WithValue(ctx, progressKey{}, tell)
}

func progressOf(ctx context.Context) func(int64) {
	tell, ok := ctx.Value(progressKey{}).(func(int64))
	if !ok {
		return func(int64) {}
	}
	return tell
}

// watched tells how far a file has been read.
type watched struct {
	io.Reader
	at   int64
	tell func(int64)
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	w.at += int64(n)
	w.tell(w.at)
	return n, err
}

// counter counts what is read.
type counter struct {
	io.Reader
	n atomic.Int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n.Add(int64(n))
	return n, err
}
