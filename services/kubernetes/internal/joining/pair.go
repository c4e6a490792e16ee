package joining

import (
	"fmt"
	"os"
	"time"

	"k8s.io/client-go/tools/clientcmd"
)

const pairPause = 200 * time.Millisecond

// WaitForPair waits for the certificates that a kubeconfig names by their files: on an agent kube-proxy uses the
// kubelet's, which the cluster gives out only after both have started.
func WaitForPair(kubeconfig string) error {
	config, err := clientcmd.LoadFromFile(kubeconfig)
	if err != nil {
		return fmt.Errorf("read %s: %w", kubeconfig, err)
	}
	for _, user := range config.AuthInfos {
		waitForFile(user.ClientCertificate)
	}
	return nil
}

func waitForFile(path string) {
	for said := false; path != ""; time.Sleep(pairPause) {
		if _, err := os.Stat(path); err == nil {
			return
		}
		if !said {
			fmt.Printf("waiting for the kubelet's certificate %s\n", path)
			said = true
		}
	}
}
