package certificates

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"thole/services/kubernetes/internal/pki"
)

// What the API server encrypts before it gives it to the data store, and how: XSalsa20 and Poly1305 with a key that never
// leaves the servers. What was stored in clear before is read as it is, and encrypted when it is written again.
const encryptionConfiguration = `apiVersion: apiserver.config.k8s.io/v1
kind: EncryptionConfiguration
resources:
  - resources: [secrets]
    providers:
      - secretbox:
          keys:
            - {name: key1, secret: %s}
      - identity: {}
`

const keySize = 32

// ensureEncryption makes the key for Secrets where there is none. It is never made anew: what it has encrypted would be lost.
func ensureEncryption(directory string) error {
	path := filepath.Join(directory, pki.Encryption)
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	key := make([]byte, keySize)
	if _, err := rand.Read(key); err != nil {
		return errors.Join(err, file.Close())
	}
	_, err = fmt.Fprintf(file, encryptionConfiguration, base64.StdEncoding.EncodeToString(key))
	return errors.Join(err, file.Close())
}
