// Package apihealth waits until the API server says that it is healthy: then its built-in roles, namespaces and
// priorities are made, without which the controllers give up after ten seconds. The API server itself reports readiness
// as soon as it answers, which is what the kubelet needs.
package apihealth

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/discovery"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/kubernetes/cmd/kubeadm/app/constants"
)

const pause = 250 * time.Millisecond

// Main is the program kubernetes-api.
func Main(arguments []string) int {
	set := flag.NewFlagSet("kubernetes-api", flag.ExitOnError)
	directory := set.String("directory", "/var/lib/kubernetes", "where the kubeconfig files lie")
	patience := set.Duration("timeout", 5*time.Minute, "how long to wait")
	_ = set.Parse(arguments)
	if err := wait(filepath.Join(*directory, constants.SuperAdminKubeConfigFileName), *patience); err != nil {
		fmt.Fprintf(os.Stderr, "kubernetes-api: %v\n", err)
		return 1
	}
	return 0
}

// wait asks /readyz until it says ok. The error carries the last answer.
func wait(kubeconfig string, patience time.Duration) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return fmt.Errorf("read %s: %w", kubeconfig, err)
	}
	client, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return fmt.Errorf("use %s: %w", kubeconfig, err)
	}
	ctx, stop := context.WithTimeout(context.Background(), patience)
	defer stop()
	for {
		answer, err := client.RESTClient().Get().AbsPath("/readyz").DoRaw(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the API server is not healthy after %s: %w\n%s", patience, err, answer)
		case <-time.After(pause):
		}
	}
}
