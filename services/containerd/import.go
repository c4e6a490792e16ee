package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	containerd "github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/diff"
	"github.com/containerd/containerd/v2/pkg/namespaces"
)

const (
	// The kubelet's garbage collection leaves pinned images alone: without a network they could not be had again.
	pinnedLabel = "io.cri-containerd.pinned"
	// The namespace of Kubernetes in containerd.
	namespace = "k8s.io"
)

type importOptions struct {
	directory string
	stamp     string
	address   string
}

// importMain brings all *.tar of a folder into the store, unpacks them, and leaves the folder's digest as a stamp.
func importMain(arguments []string) error {
	var options importOptions
	set := flag.NewFlagSet("images-import", flag.ExitOnError)
	set.StringVar(&options.directory, "directory", "/usr/lib/thole/images", "folder with OCI archives and their `digest` file")
	set.StringVar(&options.stamp, "stamp", "/var/lib/thole/images.digest", "the digest of what was imported last")
	set.StringVar(&options.address, "address", "/run/containerd/containerd.sock", "containerd's socket")
	_ = set.Parse(arguments)

	wanted, err := os.ReadFile(filepath.Join(options.directory, "digest"))
	if err != nil {
		return err
	}
	present, err := os.ReadFile(options.stamp)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if bytes.Equal(wanted, present) {
		fmt.Println("the images are in the store already")
		return nil
	}
	archives, err := filepath.Glob(filepath.Join(options.directory, "*.tar"))
	if err != nil {
		return err
	}
	if err := importAll(options.address, archives); err != nil {
		return err
	}
	return writeStamp(options.stamp, wanted)
}

func importAll(address string, archives []string) error {
	client, err := containerd.New(address, containerd.WithTimeout(time.Minute))
	if err != nil {
		return fmt.Errorf("connect to containerd at %s: %w", address, err)
	}
	defer client.Close()
	ctx := namespaces.WithNamespace(context.Background(), namespace)
	for _, archive := range archives {
		if err := importOne(ctx, client, archive); err != nil {
			return fmt.Errorf("import %s: %w", archive, err)
		}
	}
	return nil
}

func importOne(ctx context.Context, client *containerd.Client, archive string) error {
	start := time.Now()
	stream, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer stream.Close()
	// One lease over both steps: without it the store's garbage collection may run between them. Layers are not kept
	// once they are unpacked: they lie in the root file system anyway.
	ctx, done, err := client.WithLease(ctx)
	if err != nil {
		return err
	}
	defer done(ctx)
	images, err := client.Import(ctx, stream,
		containerd.WithImageLabels(map[string]string{pinnedLabel: "pinned"}),
		containerd.WithDiscardUnpackedLayers(),
	)
	if err != nil {
		return err
	}
	// Synced before the store says that it is unpacked: otherwise a power cut could leave an image of empty files.
	synced := containerd.WithUnpackApplyOpts(diff.WithSyncFs(true))
	for _, image := range images {
		if err := containerd.NewImage(client, image).Unpack(ctx, "", synced); err != nil {
			return fmt.Errorf("unpack %s: %w", image.Name, err)
		}
		fmt.Printf("%s is in the store, %.1f s\n", image.Name, time.Since(start).Seconds())
	}
	return nil
}

// writeStamp writes the stamp last and whole: after a power cut the import is done again, or known to be done.
func writeStamp(path string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	next := path + ".new"
	file, err := os.OpenFile(next, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err := file.Write(content); err != nil {
		return err
	}
	if err := file.Sync(); err != nil {
		return err
	}
	return os.Rename(next, path)
}
