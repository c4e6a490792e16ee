package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	containerd "github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/containerd/v2/core/mount"
	"github.com/containerd/containerd/v2/core/snapshots"
	layers "github.com/containerd/containerd/v2/pkg/archive"
	"github.com/containerd/errdefs"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sys/unix"
)

const (
	snapshotter = "overlayfs"
	// The kubelet's garbage collection leaves pinned images alone: without a network they could not be had again.
	pinnedLabel = "io.cri-containerd.pinned"
	// What the store's own garbage collection follows from an image to its parts.
	configLabel   = "containerd.io/gc.ref.content.config"
	snapshotLabel = "containerd.io/gc.ref.snapshot." + snapshotter
)

// add puts an image into the store in the state in which containerd leaves one that it has pulled, unpacked, and dropped
// the layers of. The layer goes straight from the archive into its snapshot: containerd's own way sends it through a
// socket, writes it, and computes its digest twice, which on a first boot was as much work as the API server's start.
// What is skipped is the check of the layer's digest; the archive is a file of the read-only root, as trusted as
// containerd.
func add(ctx context.Context, client *containerd.Client, image *archive) (string, error) {
	chain := image.config.RootFS.DiffIDs[0].String() // of one layer
	if err := unpack(ctx, client.SnapshotService(snapshotter), image, chain); err != nil {
		return "", fmt.Errorf("unpack: %w", err)
	}
	blobs, config := client.ContentStore(), image.manifest.Config
	if err := write(ctx, blobs, image, config, snapshotLabel, chain); err != nil {
		return "", fmt.Errorf("write the configuration: %w", err)
	}
	if err := write(ctx, blobs, image, image.manifestDescriptor, configLabel, config.Digest.String()); err != nil {
		return "", fmt.Errorf("write the manifest: %w", err)
	}
	entry := images.Image{
		Name: image.name(), Target: image.manifestDescriptor, Labels: map[string]string{pinnedLabel: "pinned"},
	}
	_, err := client.ImageService().Create(ctx, entry)
	if errdefs.IsAlreadyExists(err) {
		_, err = client.ImageService().Update(ctx, entry)
	}
	return entry.Name, err
}

// unpack fills a snapshot with the layer, unless one of that content is there.
func unpack(ctx context.Context, store snapshots.Snapshotter, image *archive, chain string) error {
	if _, err := store.Stat(ctx, chain); !errdefs.IsNotFound(err) {
		return err
	}
	key := "images-import-" + image.manifestDescriptor.Digest.Encoded()
	// A snapshot that was begun and not finished, in a boot that ended in between.
	if err := store.Remove(ctx, key); err != nil && !errdefs.IsNotFound(err) {
		return err
	}
	mounts, err := store.Prepare(ctx, key, "")
	if err != nil {
		return err
	}
	err = mount.WithTempMount(ctx, mounts, func(root string) error {
		if _, err := layers.Apply(ctx, root, image.blob(image.manifest.Layers[0])); err != nil {
			return err
		}
		return syncFileSystem(root)
	})
	if err == nil {
		err = store.Commit(ctx, chain, key)
	}
	if err != nil {
		return errors.Join(err, store.Remove(ctx, key))
	}
	return nil
}

// syncFileSystem comes before the snapshot counts as whole: a power cut could otherwise leave an image of empty files.
func syncFileSystem(path string) error {
	directory, err := os.Open(path)
	if err != nil {
		return err
	}
	defer directory.Close()
	return unix.Syncfs(int(directory.Fd()))
}

// write stores a blob, whose digest containerd checks, with a label that holds on to what it refers to.
func write(
	ctx context.Context, store content.Store, image *archive, blob ocispec.Descriptor, label, value string,
) error {
	labels := map[string]string{label: value}
	err := content.WriteBlob(ctx, store, blob.Digest.String(), image.blob(blob), blob, content.WithLabels(labels))
	if err != nil {
		return err
	}
	// Where the blob was there already, it was without the label.
	_, err = store.Update(ctx, content.Info{Digest: blob.Digest, Labels: labels}, "labels."+label)
	return err
}
