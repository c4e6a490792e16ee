package nodecommand

import (
	"context"

	core "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientset "k8s.io/client-go/kubernetes"
	typed "k8s.io/client-go/kubernetes/typed/core/v1"
)

// ownPods is the API as a node sees it. The node authorizer lets a node ask for its own pods only, and a pod that has
// gone is nobody's: to ask for it is forbidden, not in vain. Drain waits for pods to be gone by asking for each.
type ownPods struct{ clientset.Interface }

type ownPodsCore struct{ typed.CoreV1Interface }

type ownPodsOf struct{ typed.PodInterface }

func (c ownPods) CoreV1() typed.CoreV1Interface { return ownPodsCore{c.Interface.CoreV1()} }

func (c ownPodsCore) Pods(namespace string) typed.PodInterface {
	return ownPodsOf{c.CoreV1Interface.Pods(namespace)}
}

func (c ownPodsOf) Get(ctx context.Context, name string, options metav1.GetOptions) (*core.Pod, error) {
	pod, err := c.PodInterface.Get(ctx, name, options)
	if apierrors.IsForbidden(err) {
		return nil, apierrors.NewNotFound(core.Resource("pods"), name)
	}
	return pod, err
}
