package main

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

const nameAnnotation = "io.containerd.image.name"

// archive is an OCI archive as services/images writes it: one image, layers not compressed.
type archive struct {
	file  *os.File
	parts map[string]*io.SectionReader

	manifestDescriptor ocispec.Descriptor
	manifest           ocispec.Manifest
	config             ocispec.Image
}

// openArchive reads the archive's lists; the layers stay where they are.
func openArchive(path string) (*archive, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	opened := &archive{file: file, parts: map[string]*io.SectionReader{}}
	if err := opened.read(); err != nil {
		file.Close()
		return nil, err
	}
	return opened, nil
}

func (a *archive) Close() { a.file.Close() }

func (a *archive) read() error {
	entries := tar.NewReader(a.file)
	for {
		header, err := entries.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		offset, err := a.file.Seek(0, io.SeekCurrent)
		if err != nil {
			return err
		}
		a.parts[header.Name] = io.NewSectionReader(a.file, offset, header.Size)
	}
	var index ocispec.Index
	if err := a.decode("index.json", &index); err != nil {
		return err
	}
	if len(index.Manifests) != 1 || index.Manifests[0].Annotations[nameAnnotation] == "" {
		return errors.New("index.json does not list one image with a name")
	}
	a.manifestDescriptor = index.Manifests[0]
	if err := a.decode(blobPath(a.manifestDescriptor.Digest), &a.manifest); err != nil {
		return err
	}
	if err := a.decode(blobPath(a.manifest.Config.Digest), &a.config); err != nil {
		return err
	}
	for _, layer := range a.manifest.Layers {
		if layer.MediaType != ocispec.MediaTypeImageLayer || a.parts[blobPath(layer.Digest)] == nil {
			return fmt.Errorf("the layer %s is not there, or compressed", layer.Digest)
		}
	}
	if len(a.manifest.Layers) != 1 || len(a.config.RootFS.DiffIDs) != 1 {
		return errors.New("the image has more than one layer")
	}
	return nil
}

func (a *archive) name() string { return a.manifestDescriptor.Annotations[nameAnnotation] }

// blob starts at the beginning of a blob that read has found.
func (a *archive) blob(of ocispec.Descriptor) io.Reader {
	part := a.parts[blobPath(of.Digest)]
	return io.NewSectionReader(part, 0, part.Size())
}

func (a *archive) decode(path string, value any) error {
	part := a.parts[path]
	if part == nil {
		return fmt.Errorf("%s is not there", path)
	}
	if err := json.NewDecoder(part).Decode(value); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

func blobPath(of digest.Digest) string {
	return "blobs/" + of.Algorithm().String() + "/" + of.Encoded()
}
