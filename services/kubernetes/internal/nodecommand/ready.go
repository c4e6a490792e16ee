package nodecommand

import (
	"fmt"

	core "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// readyVerb ends well where the cluster calls this node Ready.
func readyVerb(node *local, _ []string) error {
	client, err := node.client()
	if err != nil {
		return err
	}
	ctx, cancel := limited(patience)
	defer cancel()
	own, err := client.CoreV1().Nodes().Get(ctx, node.name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	for _, condition := range own.Status.Conditions {
		if condition.Type == core.NodeReady && condition.Status == core.ConditionTrue {
			return nil
		}
	}
	return fmt.Errorf("the cluster does not call %s Ready", node.name)
}
