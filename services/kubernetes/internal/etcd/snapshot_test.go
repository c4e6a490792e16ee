package etcd

import (
	"bytes"
	"crypto/sha256"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestCheckHash(t *testing.T) {
	path := filepath.Join(t.TempDir(), "one.db")
	content := bytes.Repeat([]byte("page"), 1024)
	hash := sha256.Sum256(content)
	whole := append(content, hash[:]...)
	damaged := bytes.Clone(whole)
	damaged[7] ^= 1
	for _, one := range []struct {
		content []byte
		wanted  string
	}{{whole, ""}, {damaged, "is damaged"}, {whole[:len(whole)-1], "is no snapshot"}, {content, "is no snapshot"}, {nil, "is no snapshot"}} {
		if err := os.WriteFile(path, one.content, 0o600); err != nil {
			t.Fatal(err)
		}
		err := checkHash(path)
		if (err == nil) != (one.wanted == "") || (err != nil && !strings.Contains(err.Error(), one.wanted)) {
			t.Errorf("%d bytes: %v", len(one.content), err)
		}
	}
	if err := checkHash(filepath.Dir(path)); err == nil {
		t.Error("a folder was taken")
	}
}

func TestPruneKeepsTheNewest(t *testing.T) {
	folder := t.TempDir()
	names := []string{
		"n-20260101T000000Z.db", "n-20260102T000000Z.db", "n-20260103T000000Z.db", "mine.db", "n-1-20250101T000000Z.db",
		"n-20260104T000000Z.db.part",
	}
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(folder, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := prune(folder, "n", 2); err != nil {
		t.Fatal(err)
	}
	list, err := listSaved(folder)
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, one := range list {
		left = append(left, filepath.Base(one.Path))
	}
	slices.Sort(left)
	if wanted := []string{"mine.db", "n-1-20250101T000000Z.db", "n-20260102T000000Z.db", "n-20260103T000000Z.db"}; !slices.Equal(left, wanted) {
		t.Errorf("left are %v", left)
	}
	if _, err := os.Stat(filepath.Join(folder, names[5])); err == nil {
		t.Error("what was never finished is still there")
	}
}

func TestNoFolderHasNoSnapshots(t *testing.T) {
	if list, err := listSaved(filepath.Join(t.TempDir(), "none")); err != nil || len(list) != 0 {
		t.Errorf("%v, %v", list, err)
	}
}
