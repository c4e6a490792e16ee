package certificates

import (
	"os"
	"path/filepath"
	"testing"

	"k8s.io/apiserver/pkg/server/options/encryptionconfig"

	"thole/services/kubernetes/internal/pki"
)

func TestTheKeyForSecretsIsMadeOnceAndTheAPIServerTakesIt(t *testing.T) {
	directory := t.TempDir()
	if err := os.Mkdir(filepath.Join(directory, "pki"), 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(directory, pki.Encryption)
	if err := ensureEncryption(directory); err != nil {
		t.Fatal(err)
	}
	first, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v, %v", info.Mode(), err)
	}
	if _, err := encryptionconfig.LoadEncryptionConfig(t.Context(), path, false, "test"); err != nil {
		t.Fatal(err)
	}
	if err := ensureEncryption(directory); err != nil {
		t.Fatal(err)
	}
	if second, err := os.ReadFile(path); err != nil || string(second) != string(first) {
		t.Fatalf("the key was made anew (%v)", err)
	}
}
