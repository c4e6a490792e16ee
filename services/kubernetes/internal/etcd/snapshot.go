package etcd

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"text/tabwriter"
	"time"

	"go.etcd.io/etcd/client/v3/snapshot"
	"go.uber.org/zap"

	"thole/services/kubernetes/internal/atomicfile"
)

const (
	snapshotFolder = "/var/lib/thole/etcd-snapshots"
	snapshotEnding = ".db"
	partEnding     = ".part" // upstream's, and of what a power cut has left
	// So many of those that nobody gave a name to.
	kept = 8
	// All data has to come over a connection and onto the disk.
	snapshotPatience = 10 * time.Minute
	dateForm         = "20060102T150405Z"
)

// snapshotVerb is the unit etcd-snapshot, and `thole kubernetes snapshot`.
func snapshotVerb(arguments []string) error {
	words, err := parse(flag.NewFlagSet("thole kubernetes snapshot", flag.ContinueOnError), arguments, 1)
	if err != nil {
		return err
	}
	node, err := readNode()
	if err != nil {
		return err
	}
	path := filepath.Join(snapshotFolder, node.name+"-"+time.Now().UTC().Format(dateForm)+snapshotEnding)
	if len(words) == 1 {
		path = words[0]
	}
	if err := save(path); err != nil {
		return fmt.Errorf("save the data store into %s: %w", path, err)
	}
	fmt.Println(path)
	if len(words) == 1 {
		return nil
	}
	return prune(snapshotFolder, node.name, kept)
}

// save has this server's member write all that it has, with a hash at the end; the file is there wholly or not at all.
func save(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	config, err := clientConfig(localURL)
	if err != nil {
		return err
	}
	ctx, stop := context.WithTimeout(context.Background(), snapshotPatience)
	defer stop()
	if _, err := snapshot.SaveWithVersion(ctx, zap.NewNop(), config, path); err != nil {
		return err
	}
	if err := checkHash(path); err != nil {
		_ = os.Remove(path)
		return err
	}
	return atomicfile.Sync(filepath.Dir(path))
}

// checkHash compares the file with the hash that etcd has put at its end.
func checkHash(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	// A database consists of whole pages; what is more is the hash (etcd: snapshot.SaveWithVersion).
	const page = 512
	if !info.Mode().IsRegular() || info.Size()%page != sha256.Size {
		return fmt.Errorf("%s (%d bytes) is no snapshot that `thole kubernetes snapshot` or etcdctl made, or is cut", path, info.Size())
	}
	hash := sha256.New()
	if _, err := io.CopyN(hash, file, info.Size()-sha256.Size); err != nil {
		return err
	}
	wanted := make([]byte, sha256.Size)
	if _, err := io.ReadFull(file, wanted); err != nil {
		return err
	}
	if !bytes.Equal(hash.Sum(nil), wanted) {
		return fmt.Errorf("%s is damaged: its content has another hash than the one at its end; take another snapshot", path)
	}
	return nil
}

// prune removes all but the newest of the node's own, and what was never finished.
func prune(folder, name string, most int) error {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	var own []string
	for _, entry := range entries {
		switch {
		case strings.HasSuffix(entry.Name(), snapshotEnding+partEnding):
			if err := os.Remove(filepath.Join(folder, entry.Name())); err != nil {
				return err
			}
		case isOwn(entry.Name(), name):
			own = append(own, entry.Name()) // sorted, and thereby by date
		}
	}
	for len(own) > most {
		if err := os.Remove(filepath.Join(folder, own[0])); err != nil {
			return err
		}
		own = own[1:]
	}
	return nil
}

func isOwn(file, name string) bool {
	date, fits := strings.CutPrefix(strings.TrimSuffix(file, snapshotEnding), name+"-")
	_, err := time.Parse(dateForm, date)
	return fits && err == nil && strings.HasSuffix(file, snapshotEnding)
}

// saved is a line of the list.
type saved struct {
	Path string    `json:"path"`
	Size int64     `json:"size"`
	Time time.Time `json:"time"`
}

func snapshotsVerb(arguments []string) error {
	set := flag.NewFlagSet("thole kubernetes snapshots", flag.ContinueOnError)
	asJSON := set.Bool("json", false, "an array of path, size, time")
	if _, err := parse(set, arguments, 0); err != nil {
		return err
	}
	list, err := listSaved(snapshotFolder)
	if err != nil {
		return err
	}
	if *asJSON {
		return json.NewEncoder(os.Stdout).Encode(list)
	}
	if len(list) == 0 {
		fmt.Printf("there is none in %s yet; one is made every six hours, or by `thole kubernetes snapshot`\n", snapshotFolder)
		return nil
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	for _, one := range list {
		fmt.Fprintf(table, "%s\t%d KiB\t%s\n", one.Time.UTC().Format(time.DateTime), one.Size>>10, one.Path)
	}
	return table.Flush()
}

// listSaved gives the snapshots of a folder, the oldest first.
func listSaved(folder string) ([]saved, error) {
	list := []saved{}
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return list, nil
	}
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil || !strings.HasSuffix(entry.Name(), snapshotEnding) {
			continue // removed meanwhile, or none
		}
		list = append(list, saved{filepath.Join(folder, entry.Name()), info.Size(), info.ModTime()})
	}
	sort.SliceStable(list, func(left, right int) bool { return list[left].Time.Before(list[right].Time) })
	return list, nil
}
