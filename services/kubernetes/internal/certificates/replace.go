package certificates

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"thole/services/kubernetes/internal/atomicfile"
	"thole/services/kubernetes/internal/pki"
)

// replace puts a new directory, filled by `fill`, in the place of `directory` in one step. The new one starts with the
// old one's authorities and whatever else a person has put there; what they sign is left out, so that it is made anew.
func replace(directory string, fill func(string) error) error {
	next := directory + ".new"
	if err := os.RemoveAll(next); err != nil {
		return err
	}
	_, err := os.Lstat(directory)
	first := errors.Is(err, fs.ErrNotExist)
	if first {
		err = os.MkdirAll(next, 0o700)
	} else {
		err = copyKept(directory, next)
	}
	if err != nil {
		return err
	}
	if err := fill(next); err != nil {
		return err
	}
	if err := seal(next); err != nil {
		return err
	}
	if first {
		err = os.Rename(next, directory)
	} else {
		err = unix.Renameat2(unix.AT_FDCWD, next, unix.AT_FDCWD, directory, unix.RENAME_EXCHANGE)
	}
	if err != nil {
		return &os.LinkError{Op: "rename", Old: next, New: directory, Err: err}
	}
	if err := atomicfile.Sync(filepath.Dir(directory)); err != nil {
		return err
	}
	return os.RemoveAll(next)
}

// copyKept copies all but the certificates and kubeconfigs that are to be made anew.
func copyKept(from, to string) error {
	renewed := map[string]bool{}
	for _, name := range pki.Pairs() {
		renewed[name+".crt"], renewed[name+".key"] = true, true
	}
	for _, name := range pki.Kubeconfigs {
		renewed[name] = true
	}
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, path)
		switch {
		case err != nil:
			return err
		case entry.IsDir():
			return os.MkdirAll(filepath.Join(to, name), 0o700)
		case renewed[name] || !entry.Type().IsRegular():
			return nil
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, name), content, 0o600)
	})
}

// seal leaves every file to root alone and brings the tree to the disk.
func seal(directory string) error {
	return filepath.WalkDir(directory, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		mode := fs.FileMode(0o600)
		if entry.IsDir() {
			mode = 0o700
		}
		if err := os.Chmod(path, mode); err != nil {
			return err
		}
		return atomicfile.Sync(path)
	})
}
