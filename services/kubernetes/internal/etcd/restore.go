package etcd

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	backup "go.etcd.io/etcd/etcdutl/v3/snapshot"
	"go.uber.org/zap"

	"thole/services/kubernetes/internal/atomicfile"
)

const (
	// What was there before a restore or a rejoin, until the next one.
	setAside = dataFolder + ".before"
	// Programs that watch the cluster must not see its revisions go back: the restored ones begin after these, and all
	// that was before counts as compacted, so that whoever watched lists anew (etcd: Restoring with revision bump).
	revisionBump = 1_000_000_000
)

// The data store and what uses it on this server, by their units, in the order of their start. The join token is put there
// again: the one in a snapshot may be of another secret.
var users = []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubernetes-token"}

// restoreVerb makes a data store of one member, this server, of what a snapshot has.
func restoreVerb(arguments []string) error {
	words, err := parse(flag.NewFlagSet("thole kubernetes restore", flag.ContinueOnError), arguments, 1)
	if err != nil {
		return err
	}
	if len(words) == 0 {
		fmt.Fprintln(os.Stderr, "thole kubernetes restore: name the snapshot's file; `thole kubernetes snapshots` lists them")
		return errUsage
	}
	node, err := readNode()
	if err != nil {
		return err
	}
	status, err := examine(words[0])
	if err != nil {
		return err
	}
	if err := othersAreStopped(node); err != nil {
		return err
	}
	fmt.Printf("%s: revision %d, %d keys\n", words[0], status.Revision, status.TotalKey)
	if err := build(node, words[0], dataFolder+".restored"); err != nil {
		return fmt.Errorf("make a data store of %s: %w", words[0], err)
	}
	if err := exchange(dataFolder + ".restored"); err != nil {
		return err
	}
	fmt.Printf("restored; this server is the data store's one member. What was before is in %s.\n", setAside)
	if others := without(node.servers, node.name); len(others) > 0 {
		fmt.Printf("Now on each other server (%s): thole kubernetes rejoin\n", strings.Join(others, ", "))
	}
	return nil
}

// examine refuses what is no whole snapshot, before anything is stopped.
func examine(path string) (backup.Status, error) {
	if err := checkHash(path); err != nil {
		return backup.Status{}, err
	}
	status, err := backup.NewV3(zap.NewNop()).Status(path)
	if err != nil {
		return backup.Status{}, fmt.Errorf("%s has the right hash, and is no data store: %w", path, err)
	}
	return status, nil
}

// othersAreStopped refuses while other members run: the old data store would go on beside the restored one.
func othersAreStopped(node thisNode) error {
	var running []string
	for _, one := range node.others() {
		if isServed(one.host(clientPort)) {
			running = append(running, one.name)
		}
	}
	if len(running) == 0 {
		return nil
	}
	return fmt.Errorf("the data store still runs on %s, and would go on there beside the restored one: say "+
		"`thole stop etcd` on each, restore here, and then `thole kubernetes rejoin` on each", strings.Join(running, ", "))
}

// build makes the data of a new cluster of one member in `folder`.
func build(node thisNode, path, folder string) error {
	if err := os.RemoveAll(folder); err != nil {
		return err
	}
	token, err := newToken()
	if err != nil {
		return err
	}
	err = backup.NewV3(zap.NewNop()).Restore(backup.RestoreConfig{
		SnapshotPath:        path,
		Name:                node.name,
		OutputDataDir:       folder,
		PeerURLs:            []string{node.peerURL()},
		InitialCluster:      node.name + "=" + node.peerURL(),
		InitialClusterToken: token,
		RevisionBump:        revisionBump,
		MarkCompacted:       true,
	})
	if err != nil {
		return err
	}
	return atomicfile.SyncTree(folder)
}

// rejoinVerb has this server begin without data, and so join the data store that the other servers have.
func rejoinVerb(arguments []string) error {
	if _, err := parse(flag.NewFlagSet("thole kubernetes rejoin", flag.ContinueOnError), arguments, 0); err != nil {
		return err
	}
	node, err := readNode()
	if err != nil {
		return err
	}
	others := node.others()
	if members, _ := membersOf(others); members == nil {
		return errors.New("no other server has a running data store that this one could join; without it, what is here " +
			"may be the only copy, and is left as it is")
	}
	if err := exchange(""); err != nil {
		return err
	}
	fmt.Printf("this server takes the data of the others; what it had is in %s\n", setAside)
	return nil
}

// exchange puts `folder` (nothing, where it is empty) in the place of this server's data, while nobody uses it.
func exchange(folder string) error {
	if err := thole("stop", users...); err != nil {
		return err
	}
	if err := os.RemoveAll(setAside); err != nil {
		return err
	}
	if err := os.Rename(dataFolder, setAside); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if folder != "" {
		if err := os.Rename(folder, dataFolder); err != nil {
			return err
		}
	}
	if err := atomicfile.Sync(filepath.Dir(dataFolder)); err != nil {
		return err
	}
	return thole("start", append([]string{"--no-wait"}, users...)...)
}

// thole has PID 1 change units.
func thole(word string, more ...string) error {
	done, err := exec.Command("/usr/bin/thole", append([]string{word}, more...)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("thole %s %s: %s", word, strings.Join(more, " "), strings.TrimSpace(string(done)))
	}
	return nil
}

func without(names []string, own string) []string {
	var rest []string
	for _, name := range names {
		if name != own {
			rest = append(rest, name)
		}
	}
	return rest
}
