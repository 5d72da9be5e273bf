package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"quorate.dev/quorate/internal/artifact"
)

// artifactView says how far the building and downloading of artefacts is: one
// line that moves on a terminal, elsewhere a line when something begins or ends
// and every progressEvery in between. What is in the store already is not told.
type artifactView struct {
	mu       sync.Mutex
	screen   screen
	versions artifact.Versions
	of       int            // how many parts there are: components, and sets of images
	seen     []string       // the parts begun so far
	now      artifact.Event // the last of the part that is worked on; What is "" when none is
	at       time.Time      // when that came
	told     time.Time      // when a plain line was written last
	stop     func()         // ends the drawing; nil: nothing is drawn
}

// artifactProgress shows the events until close.
func artifactProgress(errOut io.Writer, versions artifact.Versions, parts int) *artifactView {
	v := &artifactView{screen: screenOf(errOut), versions: versions, of: parts}
	if v.screen.live {
		v.stop = redraw(&v.mu, func() { v.screen.draw(v.frame) })
	}
	return v
}

// close takes the moving line away.
func (v *artifactView) close() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.now = artifact.Event{}
	if v.stop != nil {
		v.stop()
		v.stop = nil
		v.screen.draw(v.frame)
	}
}

// on takes one event.
func (v *artifactView) on(e artifact.Event) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if e.Component != "bundle" && !slices.Contains(v.seen, e.Component) {
		v.seen = append(v.seen, e.Component)
	}
	begins := e.What != v.now.What || e.Component != v.now.Component
	switch e.What {
	case "cached":
		return
	case "checksum", "damaged": // to know, and no part of the work
		v.write(fmt.Sprintf("%s: %s", v.name(e), e.Text))
		return
	case "done":
		v.now = artifact.Event{}
		v.write(fmt.Sprintf("%s is in the store (%s)", v.name(e), strings.Join(v.far(e, time.Now()), ", ")))
		return
	}
	v.now, v.at = e, time.Now()
	if v.screen.live {
		v.screen.draw(v.frame)
	} else if begins || time.Since(v.told) >= progressEvery {
		v.told = time.Now()
		v.write(v.line(time.Now()))
	}
}

// write writes a line that stays.
func (v *artifactView) write(line string) {
	if v.screen.live {
		v.screen.draw(v.frame, line)
		return
	}
	fmt.Fprintln(v.screen.out, line)
}

func (v *artifactView) frame(width, _ int) []string {
	if v.now.What == "" {
		return nil
	}
	return []string{cut(v.line(time.Now()), width)}
}

// line says what is being done, how far it is and for how long it has been going on.
func (v *artifactView) line(now time.Time) string {
	e := v.now
	what := map[string]string{"build": "building %s", "image": "packing %s", "unpack": "unpacking %s",
		"wait": "waiting for %s: " + strings.ReplaceAll(e.Text, "%", "%%"), "download": "downloading %s"}[e.What]
	if what == "" {
		what = e.What + " %s"
	}
	if e.What == "download" && e.M == 0 && e.N > 0 {
		what = "downloading the modules of %s"
	}
	return fmt.Sprintf(what+" (%s)", v.name(e), strings.Join(v.far(e, now), ", "))
}

// far is how far the work on a part is.
func (v *artifactView) far(e artifact.Event, now time.Time) (out []string) {
	if at := slices.Index(v.seen, e.Component) + 1; at > 0 && v.of > 1 {
		out = append(out, fmt.Sprintf("%d of %d", at, max(v.of, len(v.seen))))
	}
	took := e.Elapsed
	switch {
	case e.What == "done":
		return append(out, short(took))
	case e.What == "download" && e.M > 0:
		out = append(out, fmt.Sprintf("%d of %d MiB", e.N>>20, e.M>>20))
	case e.What == "build" && e.M > 0:
		out = append(out, fmt.Sprintf("package %d of %d", e.N, e.M))
	case e.What == "image":
		out = append(out, fmt.Sprintf("image %d of %d", e.N+1, e.M))
	case e.N > 0 && e.What == "unpack":
		out = append(out, fmt.Sprintf("file %d", e.N))
	case e.N > 0:
		out = append(out, fmt.Sprintf("%d so far", e.N))
	}
	return append(out, short(took+now.Sub(v.at)))
}

// name is a part with its version.
func (v *artifactView) name(e artifact.Event) string {
	if set, is := strings.CutPrefix(e.Component, "images-"); is {
		return "the images for " + set
	}
	if e.Component == "bundle" {
		return "the bundle"
	}
	return strings.TrimSpace(e.Component + " " + strings.TrimPrefix(v.versions.Get(e.Component), "v"))
}
