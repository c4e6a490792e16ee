package etcd

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func allFiles() map[string][]byte {
	files := map[string][]byte{}
	for _, name := range authorityFiles {
		files[name] = []byte("content of " + name)
	}
	return files
}

func TestHandover(t *testing.T) {
	key, before, strange := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32), bytes.Repeat([]byte{3}, 32)
	for _, asking := range [][]byte{key, before} {
		asked, err := newQuestion(asking)
		if err != nil {
			t.Fatal(err)
		}
		got, err := answer([][]byte{key, before}, asked, allFiles())
		if err != nil {
			t.Fatal(err)
		}
		files, err := open(asking, asked, got)
		if err != nil || string(files["sa.key"]) != "content of sa.key" {
			t.Errorf("%v, %v", files, err)
		}
		again, _ := newQuestion(asking)
		if _, err := open(asking, again, got); err == nil {
			t.Error("an answer to another question was taken")
		}
		if _, err := open(strange, asked, got); err == nil {
			t.Error("an answer under another key was taken")
		}
		if _, err := open(asking, asked, sealed{got.Text[:5]}); err == nil {
			t.Error("a cut answer was taken")
		}
	}
	asked, _ := newQuestion(strange)
	if _, err := answer([][]byte{key, before}, asked, allFiles()); !errors.Is(err, errNotKnown) {
		t.Errorf("a stranger is answered: %v", err)
	}
	if _, err := answer([][]byte{key}, question{}, allFiles()); !errors.Is(err, errNotKnown) {
		t.Errorf("an empty question is answered: %v", err)
	}
}

func TestAnAnswerHasAllFiles(t *testing.T) {
	key := bytes.Repeat([]byte{1}, 32)
	files := allFiles()
	delete(files, "etcd/ca.key")
	asked, _ := newQuestion(key)
	got, err := answer([][]byte{key}, asked, files)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := open(key, asked, got); err == nil {
		t.Error("an answer without etcd/ca.key was taken")
	}
}

func TestAuthoritiesAreWrittenWholly(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "kubernetes")
	if state, err := stateOf(folder); err != nil || state != nothing {
		t.Fatalf("%v, %v", state, err)
	}
	if err := writeAuthorities(folder, allFiles()); err != nil {
		t.Fatal(err)
	}
	if state, err := stateOf(folder); err != nil || state != complete {
		t.Errorf("%v, %v", state, err)
	}
	content, err := os.ReadFile(filepath.Join(folder, "pki", "etcd", "ca.key"))
	if err != nil || string(content) != "content of etcd/ca.key" {
		t.Errorf("%q, %v", content, err)
	}
	if err := os.Remove(filepath.Join(folder, "pki", "sa.key")); err != nil {
		t.Fatal(err)
	}
	if _, err := stateOf(folder); err == nil {
		t.Error("a folder without sa.key counts as good")
	}
}

func TestReadKeys(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	const line = "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
	for text, wanted := range map[string]int{line: 1, line + line: 2, "": 0, "short\n": -1} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		keys, err := readKeys(path)
		if (err != nil) != (wanted < 0) || (err == nil && len(keys) != wanted) {
			t.Errorf("%q: %d keys, %v", text, len(keys), err)
		}
	}
}
