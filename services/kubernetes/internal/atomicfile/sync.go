package atomicfile

import (
	"io/fs"
	"os"
	"path/filepath"
)

// Place moves a file or folder, whose content is on the disk, to its place and brings that to the disk.
func Place(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return Sync(filepath.Dir(to))
}

// SyncTree brings a folder and all in it to the disk.
func SyncTree(folder string) error {
	return filepath.WalkDir(folder, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return Sync(path)
	})
}

// Sync brings a file to the disk, or the names in a directory.
func Sync(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	return file.Sync()
}
