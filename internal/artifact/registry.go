package artifact

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// Images pulls the named images and packs them as published; their layers are
// checked against the digests of their manifests while they are read.
func (u *Upstream) Images(ctx context.Context, v Versions, arch, set string, names []string, progress func(Event)) (File, error) {
	imgs, err := imagesOf(names)
	if err != nil {
		return File{}, err
	}
	recipe := fmt.Appendf(nil, "%d\n", imageFormat)
	own := map[string][]File{}
	for _, img := range imgs {
		recipe = fmt.Appendf(recipe, "%s\n", img.ref(v))
		if pin := u.pin(img.ref(v)); pin != "" {
			recipe = fmt.Appendf(recipe, "sha256:%s\n", pin)
		}
		if img.ref(v) != TestImage {
			continue
		}
		if own[img.name], err = u.local.Fetch(ctx, v, arch, img.programs, progress); err != nil {
			return File{}, fmt.Errorf("the test image is not published, so it must be built: %w", err)
		}
		recipe = fmt.Appendf(recipe, "%s\n", own[img.name][0].SHA256)
	}
	key := imageKey("upstream", set, arch, v, recipe)
	return u.store.imageSet(ctx, key, set, imgs, v, progress, func(img image, dir string) (v1.Image, error) {
		if files := own[img.name]; files != nil {
			return buildImage(img, files, nil, arch, dir)
		}
		return u.pull(ctx, img.ref(v), arch)
	})
}

// pull opens an image of a registry, or of the mirror that stands for it, by
// the digest that is pinned or that the project's own registry tells.
func (u *Upstream) pull(ctx context.Context, ref, arch string) (v1.Image, error) {
	digest, err := u.manifest(ctx, ref)
	if err != nil {
		return nil, err
	}
	host, rest, _ := strings.Cut(ref, "/")
	rest, _, _ = strings.Cut(rest, ":")
	var opts []name.Option
	mirror, insecure := strings.CutPrefix(u.bases[host], "http://")
	if insecure {
		opts = append(opts, name.Insecure)
	}
	from, err := name.NewDigest(strings.TrimPrefix(mirror, "https://")+"/"+rest+"@"+digest.String(), opts...)
	if err != nil {
		return nil, fmt.Errorf("pull %s: %w", ref, err)
	}
	img, err := remote.Image(from, remote.WithContext(ctx), remote.WithTransport(u.client.Transport),
		remote.WithPlatform(v1.Platform{OS: "linux", Architecture: arch}))
	if err != nil {
		return nil, fmt.Errorf("pull %s: %w; check the version, and artifacts.baseURLs when a mirror is used", from, err)
	}
	return img, nil
}
