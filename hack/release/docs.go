package main

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/cpuguy83/go-md2man/v2/md2man"
	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"quorate.dev/quorate/internal/cli"
)

//go:embed quorate-lb.1.md
var balancerPage []byte

// completions are the shells' files below /usr/share.
var completions = map[string]func(*cobra.Command, *bytes.Buffer) error{
	"bash-completion/completions/quorate":    func(c *cobra.Command, w *bytes.Buffer) error { return c.GenBashCompletionV2(w, true) },
	"zsh/vendor-completions/_quorate":        func(c *cobra.Command, w *bytes.Buffer) error { return c.GenZshCompletion(w) },
	"fish/vendor_completions.d/quorate.fish": func(c *cobra.Command, w *bytes.Buffer) error { return c.GenFishCompletion(w, true) },
}

// docs writes the man pages and completions of the commands that quorate has,
// and an archive of them for those who take a binary only.
func (b *build) docs() error {
	root := cli.Command()
	root.InitDefaultCompletionCmd()
	for name, generate := range completions {
		var text bytes.Buffer
		if err := generate(root, &text); err != nil {
			return err
		}
		if err := put(filepath.Join(b.share, name), text.Bytes()); err != nil {
			return err
		}
	}
	root.DisableAutoGenTag = true
	header := doc.GenManHeader{Section: "1", Date: &b.time, Source: "quorate " + b.version, Manual: "quorate"}
	pages := filepath.Join(b.share, "man", "man1")
	if err := manPages(root, header, pages); err != nil {
		return err
	}
	page := bytes.ReplaceAll(balancerPage, []byte("VERSION"), []byte(b.version))
	page = bytes.ReplaceAll(page, []byte("DATE"), []byte(b.time.Format(time.DateOnly)))
	if err := compressed(filepath.Join(pages, "quorate-lb.1.gz"), md2man.Render(page)); err != nil {
		return err
	}
	return b.archive("quorate-docs.tar.gz", b.share)
}

// manPages writes a page for a command and for each below it.
func manPages(c *cobra.Command, header doc.GenManHeader, dir string) error {
	if !c.IsAvailableCommand() && c.HasParent() || c.IsAdditionalHelpTopicCommand() {
		return nil
	}
	for _, sub := range c.Commands() {
		if err := manPages(sub, header, dir); err != nil {
			return err
		}
	}
	name := strings.ReplaceAll(c.CommandPath(), " ", "-")
	header.Title = strings.ToUpper(name)
	var text bytes.Buffer
	if err := doc.GenMan(c, &header, &text); err != nil {
		return err
	}
	return compressed(filepath.Join(dir, name+".1.gz"), text.Bytes())
}

// compressed writes a man page as distributions want it: gzip at its best, without
// a name or time.
func compressed(path string, text []byte) error {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return err
	}
	if _, err := w.Write(text); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return put(path, out.Bytes())
}

func put(path string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, content, fs.FileMode(0o644))
}
