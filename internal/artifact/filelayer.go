package artifact

import (
	"archive/tar"
	"io"
	"os"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// fileLayer is an uncompressed layer in a file: what goes over SSH is
// compressed there, and hosts need not unpack it twice.
type fileLayer struct {
	path string
	hash v1.Hash
	size int64
}

// newFileLayer writes a layer's tar to path.
func newFileLayer(path string, write func(*tar.Writer) error) (*fileLayer, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	w := tar.NewWriter(f)
	if err := write(w); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	sum, size, err := digest(path)
	if err != nil {
		return nil, err
	}
	return &fileLayer{path: path, hash: v1.Hash{Algorithm: "sha256", Hex: sum}, size: size}, nil
}

// Digest of the layer as it is stored.
func (l *fileLayer) Digest() (v1.Hash, error) { return l.hash, nil }

// DiffID is the same, since nothing is compressed.
func (l *fileLayer) DiffID() (v1.Hash, error) { return l.hash, nil }

// Compressed opens the layer as it is stored.
func (l *fileLayer) Compressed() (io.ReadCloser, error) { return os.Open(l.path) }

// Uncompressed opens the layer's tar.
func (l *fileLayer) Uncompressed() (io.ReadCloser, error) { return os.Open(l.path) }

// Size of the layer as it is stored.
func (l *fileLayer) Size() (int64, error) { return l.size, nil }

// MediaType says that nothing is compressed.
func (l *fileLayer) MediaType() (types.MediaType, error) { return types.OCIUncompressedLayer, nil }
