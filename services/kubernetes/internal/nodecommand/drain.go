package nodecommand

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	core "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clientset "k8s.io/client-go/kubernetes"
	"k8s.io/kubectl/pkg/drain"
)

// shutDown marks a node that was cordoned only because it went down: it takes pods again when it is back. A node that a
// person has cordoned stays so.
const shutDown = "thole/cordoned-by-shutdown"

func drainVerb(node *local, arguments []string) error {
	set := flag.NewFlagSet("thole kubernetes drain", flag.ContinueOnError)
	timeout := set.Duration("timeout", 5*time.Minute, "how long pods may take")
	if err := parse(set, arguments); err != nil {
		return err
	}
	client, err := node.client()
	if err != nil {
		return err
	}
	ctx, stop := limited(*timeout)
	defer stop()
	return node.drain(ctx, client, *timeout)
}

// drain cordons the node and has its pods evicted, as `kubectl drain` does; those of DaemonSets stay.
func (n *local) drain(ctx context.Context, client clientset.Interface, timeout time.Duration) error {
	if err := n.cordon(ctx, client, true); err != nil {
		return err
	}
	helper := &drain.Helper{
		Ctx: ctx, Client: ownPods{client}, Force: true, GracePeriodSeconds: -1, IgnoreAllDaemonSets: true,
		DeleteEmptyDirData: true, Timeout: timeout, Out: os.Stdout, ErrOut: os.Stderr,
	}
	if err := drain.RunNodeDrain(helper, n.name); err != nil {
		return fmt.Errorf("move this node's pods: %w", err)
	}
	return nil
}

// cordon sets whether the node takes pods. By a patch of that alone: a node may change nothing else of its object.
func (n *local) cordon(ctx context.Context, client clientset.Interface, wanted bool) error {
	patch := fmt.Sprintf(`{"spec":{"unschedulable":%t}}`, wanted)
	return n.patch(ctx, client, patch)
}

func (n *local) patch(ctx context.Context, client clientset.Interface, patch string) error {
	_, err := client.CoreV1().Nodes().Patch(ctx, n.name, types.StrategicMergePatchType, []byte(patch), metav1.PatchOptions{})
	if err != nil {
		return fmt.Errorf("change the node %s: %w", n.name, err)
	}
	return nil
}

// shutDownVerb is the drain of a node that goes down. It does what it can in its time, and never holds the node up
// longer: a cluster that does not answer, or has nowhere else for pods, is left alone.
func shutDownVerb(node *local, arguments []string) error {
	set := flag.NewFlagSet("shut-down", flag.ContinueOnError)
	timeout := set.Duration("timeout", 30*time.Second, "how long pods may take")
	if err := parse(set, arguments); err != nil {
		return err
	}
	client, err := node.client()
	if err != nil || *timeout <= 0 {
		return err
	}
	ctx, stop := limited(*timeout)
	defer stop()
	if elsewhere, err := node.othersTakePods(ctx, client); err != nil || !elsewhere {
		if err == nil {
			fmt.Println("no other node takes pods: they stay, and start again with this node")
		}
		return err
	}
	object, err := client.CoreV1().Nodes().Get(ctx, node.name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	if !object.Spec.Unschedulable {
		mark := fmt.Sprintf(`{"metadata":{"annotations":{%q:"yes"}}}`, shutDown)
		if err := node.patch(ctx, client, mark); err != nil {
			return err
		}
	}
	return node.drain(ctx, client, *timeout)
}

// othersTakePods says whether pods have anywhere to go.
func (n *local) othersTakePods(ctx context.Context, client clientset.Interface) (bool, error) {
	list, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return false, err
	}
	for _, other := range list.Items {
		if other.Name != n.name && !other.Spec.Unschedulable && isReady(&other) {
			return true, nil
		}
	}
	return false, nil
}

func isReady(node *core.Node) bool {
	for _, condition := range node.Status.Conditions {
		if condition.Type == core.NodeReady {
			return condition.Status == core.ConditionTrue
		}
	}
	return false
}

// returnedVerb has a node take pods again that was cordoned when it went down. It waits for the cluster.
func returnedVerb(node *local, arguments []string) error {
	set := flag.NewFlagSet("returned", flag.ContinueOnError)
	if err := parse(set, arguments); err != nil {
		return err
	}
	for said := ""; ; time.Sleep(2 * time.Second) {
		err := node.takeUp()
		if err == nil {
			return nil
		}
		if said != err.Error() {
			said = err.Error()
			fmt.Printf("waiting for the cluster: %v\n", err)
		}
	}
}

func (n *local) takeUp() error {
	client, err := n.client()
	if err != nil {
		return err
	}
	ctx, stop := limited(patience)
	defer stop()
	object, err := client.CoreV1().Nodes().Get(ctx, n.name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return errors.New("the kubelet has not registered the node yet")
	}
	if err != nil || object.Annotations[shutDown] == "" {
		return err
	}
	fmt.Println("the node takes pods again")
	return n.patch(ctx, client, fmt.Sprintf(`{"metadata":{"annotations":{%q:null}},"spec":{"unschedulable":false}}`, shutDown))
}
