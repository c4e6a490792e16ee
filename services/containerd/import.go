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
	"github.com/containerd/containerd/v2/pkg/namespaces"
)

// The namespace of Kubernetes in containerd.
const namespace = "k8s.io"

type importOptions struct {
	directory string
	stamp     string
	address   string
}

// importMain brings all *.tar of a folder into the store and leaves the folder's digest as a stamp.
func importMain(arguments []string) error {
	var options importOptions
	set := flag.NewFlagSet("images-import", flag.ExitOnError)
	set.StringVar(&options.directory, "directory", "/usr/lib/thole/images", "folder with OCI archives and their digest")
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

func importOne(ctx context.Context, client *containerd.Client, path string) error {
	start := time.Now()
	opened, err := openArchive(path)
	if err != nil {
		return err
	}
	defer opened.Close()
	// Under a lease the store's garbage collection leaves alone what nothing refers to yet.
	ctx, done, err := client.WithLease(ctx)
	if err != nil {
		return err
	}
	defer done(ctx)
	name, err := add(ctx, client, opened)
	if err != nil {
		return err
	}
	fmt.Printf("%s is in the store, %.1f s\n", name, time.Since(start).Seconds())
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
