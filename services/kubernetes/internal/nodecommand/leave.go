package nodecommand

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// leftMark keeps the units of Kubernetes from starting on a node that has left, over reboots, too.
const leftMark = "/var/lib/thole/kubernetes-left"

// What a node knows of the cluster that it is in. Images and logs stay.
var memberships = []string{directory, "/var/lib/kubelet/pki", "/var/lib/kubelet/pods"}

func leaveVerb(node *local, arguments []string) error {
	set := flag.NewFlagSet("thole kubernetes leave", flag.ContinueOnError)
	timeout := set.Duration("timeout", 5*time.Minute, "how long pods may take")
	if err := parse(set, arguments); err != nil {
		return err
	}
	several := hasEtcd()
	if node.server && !several {
		return errors.New("this node is the cluster's server: without it there is no cluster to leave. To end the " +
			"cluster, make all of its nodes anew with empty disks")
	}
	if err := node.takeOut(*timeout); err != nil {
		// Whoever leaves a cluster that is gone must get away, too.
		fmt.Fprintf(os.Stderr, "the cluster does not know of it: %v\nremove the node there: kubectl delete node %s\n", err, node.name)
	}
	if several {
		if err := leaveDatastore(); err != nil {
			return fmt.Errorf("take this server out of the data store: %w", err)
		}
	}
	if err := os.WriteFile(leftMark, nil, 0o600); err != nil {
		return err
	}
	units, paths := []string{"kubelet", "kube-proxy", "kubernetes-join", "containerd"}, memberships
	if several {
		units, paths = append(serverUnits, units...), append(serverMemberships, paths...)
	}
	if err := ask("stop", units...); err != nil {
		return err
	}
	for _, path := range paths {
		if err := os.RemoveAll(path); err != nil {
			return fmt.Errorf("forget the cluster: %w", err)
		}
	}
	if several {
		if err := os.WriteFile(storeChanged, nil, 0o644); err != nil {
			return fmt.Errorf("tell the mesh that this node is no server any more: %w", err)
		}
	}
	fmt.Println("this node has left; `thole kubernetes join` brings it back")
	return nil
}

func (n *local) takeOut(timeout time.Duration) error {
	client, err := n.client()
	if err != nil {
		return err
	}
	ctx, stop := limited(timeout)
	defer stop()
	if err := n.drain(ctx, client, timeout); err != nil {
		return err
	}
	err = client.CoreV1().Nodes().Delete(ctx, n.name, metav1.DeleteOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// joinVerb takes back what drain or leave did, whichever it was.
func joinVerb(node *local, arguments []string) error {
	set := flag.NewFlagSet("thole kubernetes join", flag.ContinueOnError)
	if err := parse(set, arguments); err != nil {
		return err
	}
	if _, err := os.Stat(leftMark); err == nil {
		if err := os.Remove(leftMark); err != nil {
			return err
		}
		units := []string{"kubelet", "kube-proxy"}
		if hasEtcd() {
			units = append(units, serverUnits...)
		}
		return ask("start", units...)
	}
	client, err := node.client()
	if err != nil {
		return err
	}
	ctx, stop := limited(patience)
	defer stop()
	return node.cordon(ctx, client, false)
}

// ask has PID 1 change units.
func ask(word string, units ...string) error {
	words := append([]string{word}, units...)
	done, err := exec.Command("/usr/bin/thole", words...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("thole %s: %s", words[0], done)
	}
	return nil
}
