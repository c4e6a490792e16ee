package joining

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"thole/services/kubernetes/internal/atomicfile"
)

func TestWaitForPairEndsWhenTheFileIsThere(t *testing.T) {
	folder := t.TempDir()
	pair := filepath.Join(folder, "pair.pem")
	config := clientcmdapi.NewConfig()
	config.AuthInfos["kube-proxy"] = &clientcmdapi.AuthInfo{ClientCertificate: pair, ClientKey: pair}
	kubeconfig := filepath.Join(folder, "kube-proxy.conf")
	if err := atomicfile.WriteKubeconfig(kubeconfig, config); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- WaitForPair(kubeconfig) }()
	select {
	case err := <-done:
		t.Fatalf("it did not wait: %v", err)
	case <-time.After(2 * pairPause):
	}
	if err := os.WriteFile(pair, []byte("pair"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestWaitForPairSaysThatThereIsNoKubeconfig(t *testing.T) {
	if err := WaitForPair(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Fatal("no error")
	}
}
