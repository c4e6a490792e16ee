// Package networkpolicy runs the controller of kube-network-policies on a node: it puts packets to and from pods that a
// NetworkPolicy selects into a queue of the kernel and lets through what the policies allow.
package networkpolicy

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"k8s.io/client-go/informers"
	clientset "k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/kube-network-policies/pkg/networkpolicy"

	"thole/services/kubernetes/internal/joining"
)

// The queue's number (nfnetlink_queue); nothing else of a node uses one.
const queue = 100

// Main is the program kube-network-policies. It ends in order at SIGTERM, and takes its rules away then.
func Main(arguments []string) int {
	set := flag.NewFlagSet("kube-network-policies", flag.ExitOnError)
	kubeconfig := set.String("kubeconfig", "/etc/kubernetes/kube-proxy.conf", "how the API server is reached")
	node := set.String("node-name", "", "this node's name in the cluster")
	_ = set.Parse(arguments)
	if err := run(*kubeconfig, *node); err != nil {
		fmt.Fprintf(os.Stderr, "kube-network-policies: %v\n", err)
		return 1
	}
	return 0
}

func run(kubeconfig, node string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	client, err := clientOf(kubeconfig)
	if err != nil {
		return err
	}
	factory := informers.NewSharedInformerFactory(client, 0)
	controller, err := networkpolicy.NewController(
		client,
		factory.Networking().V1().NetworkPolicies(),
		factory.Core().V1().Namespaces(),
		factory.Core().V1().Pods(),
		nil, nil, nil, nil, // the alpha kinds for administrators
		networkpolicy.Config{
			NodeName: node,
			QueueID:  queue,
			// What it wants of the runtime (NRI) our containerd does not offer: pods' addresses come from the API server.
			NRIdisabled: true,
		},
	)
	if err != nil {
		return fmt.Errorf("make the controller: %w", err)
	}
	factory.Start(ctx.Done())
	return controller.Run(ctx)
}

func clientOf(kubeconfig string) (clientset.Interface, error) {
	if err := joining.WaitForPair(kubeconfig); err != nil {
		return nil, err
	}
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", kubeconfig, err)
	}
	return clientset.NewForConfig(inProtobuf(config))
}

// inProtobuf: pods of the whole cluster come through here.
func inProtobuf(config *rest.Config) *rest.Config {
	made := rest.CopyConfig(config)
	made.AcceptContentTypes = "application/vnd.kubernetes.protobuf,application/json"
	made.ContentType = "application/vnd.kubernetes.protobuf"
	return made
}
