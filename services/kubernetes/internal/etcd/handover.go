package etcd

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
)

// The servers of a cluster sign with the same authorities, so one hands them to the next, by a question and an answer:
//
//	question: a number used once, and its keyed hash
//	answer:   the files, encrypted and authenticated together with that number
//
// The key is made from the mesh's secret by every node. Whoever answers or asks has thereby proved that he knows the
// secret, and an answer fits one question. As agents know the secret, too, a server answers only to the mesh addresses of
// those that kubernetes.servers names, which are bound to the nodes' own WireGuard keys, and to nobody who takes the name of a
// server that runs.
//
// It is no part of the API, so that a server whose disk was lost comes to its authorities also while the data store has
// lost its majority.

const (
	// Keys, a line each: of the mesh's secret in force and, while that changes, of the one before.
	keyFile     = "/run/kubernetes/servers-key"
	keySize     = 32
	nonceSize   = 32
	askPurpose  = "thole servers ask"
	sealPurpose = "thole servers seal"
)

// authorityFiles are what all servers have in common, below pkiFolder.
var authorityFiles = []string{
	"ca.crt", "ca.key", "front-proxy-ca.crt", "front-proxy-ca.key", "etcd/ca.crt", "etcd/ca.key", "sa.key", "sa.pub",
	"encryption.yaml",
}

var errNotKnown = errors.New("whoever asks does not know the mesh's secret")

type question struct {
	Nonce []byte `json:"nonce"`
	Proof []byte `json:"proof"`
}

type sealed struct {
	Text []byte `json:"text"`
}

func readKeys(path string) ([][]byte, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the key that servers know each other by: %w", err)
	}
	var keys [][]byte
	for _, line := range strings.Fields(string(content)) {
		key, err := base64.StdEncoding.DecodeString(line)
		if err != nil || len(key) != keySize {
			return nil, fmt.Errorf("%s has a line that is no key", path)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

func keyed(key []byte, purpose string, parts ...[]byte) []byte {
	hash := hmac.New(sha256.New, key)
	hash.Write([]byte(purpose))
	for _, part := range parts {
		hash.Write(part)
	}
	return hash.Sum(nil)
}

func newQuestion(key []byte) (question, error) {
	nonce := make([]byte, nonceSize)
	if _, err := rand.Read(nonce); err != nil {
		return question{}, err
	}
	return question{nonce, keyed(key, askPurpose, nonce)}, nil
}

// answer seals the files for a question that was asked with one of the keys.
func answer(keys [][]byte, asked question, files map[string][]byte) (sealed, error) {
	for _, key := range keys {
		if len(asked.Nonce) != nonceSize || !hmac.Equal(asked.Proof, keyed(key, askPurpose, asked.Nonce)) {
			continue
		}
		box, err := boxOf(key)
		if err != nil {
			return sealed{}, err
		}
		text, err := json.Marshal(files)
		if err != nil {
			return sealed{}, err
		}
		once := make([]byte, box.NonceSize())
		if _, err := rand.Read(once); err != nil {
			return sealed{}, err
		}
		return sealed{box.Seal(once, once, text, asked.Nonce)}, nil
	}
	return sealed{}, errNotKnown
}

// open gives the files of an answer to the question that was asked with this key.
func open(key []byte, asked question, got sealed) (map[string][]byte, error) {
	box, err := boxOf(key)
	if err != nil {
		return nil, err
	}
	if len(got.Text) < box.NonceSize() {
		return nil, errors.New("the answer is cut")
	}
	text, err := box.Open(nil, got.Text[:box.NonceSize()], got.Text[box.NonceSize():], asked.Nonce)
	if err != nil {
		return nil, errors.New("the answer is not from a node of this mesh, or not to this question")
	}
	var files map[string][]byte
	if err := json.Unmarshal(text, &files); err != nil {
		return nil, err
	}
	for _, name := range authorityFiles {
		if len(files[name]) == 0 {
			return nil, fmt.Errorf("the answer lacks %s", name)
		}
	}
	return files, nil
}

func boxOf(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(keyed(key, sealPurpose))
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}
