// Package atomicfile writes files so that a power cut leaves the old content or the new one, never a part.
package atomicfile

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// Write makes or replaces a file, and the directories above it. A file that has this content already is left alone.
func Write(path string, content []byte, mode fs.FileMode) error {
	if before, err := os.ReadFile(path); err == nil && bytes.Equal(before, content) {
		return os.Chmod(path, mode)
	}
	directory := filepath.Dir(path)
	if err := os.MkdirAll(directory, 0o700); err != nil {
		return err
	}
	file, err := os.CreateTemp(directory, "."+filepath.Base(path)+"-")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	defer file.Close()
	if err := fill(file, content, mode); err != nil {
		return err
	}
	return Place(file.Name(), path)
}

// WriteKubeconfig is Write for a kubeconfig, which may hold keys: only root reads it.
func WriteKubeconfig(path string, config *clientcmdapi.Config) error {
	content, err := clientcmd.Write(*config)
	if err != nil {
		return err
	}
	return Write(path, content, 0o600)
}

func fill(file *os.File, content []byte, mode fs.FileMode) error {
	if _, err := file.Write(content); err != nil {
		return err
	}
	if err := file.Chmod(mode); err != nil {
		return err
	}
	return file.Sync()
}
