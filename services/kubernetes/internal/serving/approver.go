package serving

import (
	"context"
	"time"

	certificates "k8s.io/api/certificates/v1"
	core "k8s.io/api/core/v1"
	rbac "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/informers"
	clientset "k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/cmd/kubeadm/app/util/apiclient"
)

const (
	ruleName = "thole:kubelet-serving-approver"
	// The user that the controllers are; the approver runs in their process.
	controllers = "system:kube-controller-manager"
	// A request may come before the mesh has told of its node.
	again = 15 * time.Second
)

// Approver is what the controller manager's process needs to run one.
type Approver struct {
	Kubeconfig  string
	MeshNodes   string // the file that the mesh writes
	NodeName    string
	NodeAddress string
	client      clientset.Interface
	said        map[string]string // the last reason against each request
}

// Run approves until the context ends. What cannot be done is in the log; the controllers themselves go on.
func (a *Approver) Run(ctx context.Context) {
	config, err := clientcmd.BuildConfigFromFlags("", a.Kubeconfig)
	if err == nil {
		a.client, err = clientset.NewForConfig(config)
	}
	if err != nil {
		klog.Errorf("nodes' serving certificates are not approved: cannot use %s: %v", a.Kubeconfig, err)
		return
	}
	a.said = map[string]string{}
	only := fields.OneTermEqualSelector("spec.signerName", certificates.KubeletServingSignerName).String()
	factory := informers.NewSharedInformerFactoryWithOptions(a.client, again,
		informers.WithTweakListOptions(func(options *metav1.ListOptions) { options.FieldSelector = only }))
	informer := factory.Certificates().V1().CertificateSigningRequests().Informer()
	_, _ = informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(object any) { a.handle(ctx, object) },
		UpdateFunc: func(_, object any) { a.handle(ctx, object) },
	})
	factory.Start(ctx.Done())
	<-ctx.Done()
}

func (a *Approver) handle(ctx context.Context, object any) {
	request, fits := object.(*certificates.CertificateSigningRequest)
	if !fits || len(request.Status.Certificate) > 0 || len(request.Status.Conditions) > 0 {
		return
	}
	if err := check(request, readNodes(a.MeshNodes, a.NodeName, a.NodeAddress)); err != nil {
		if a.said[request.Name] != err.Error() {
			a.said[request.Name] = err.Error()
			klog.Warningf("serving certificate of %s (%s) is not approved: %v", request.Spec.Username, request.Name, err)
		}
		return
	}
	delete(a.said, request.Name)
	approved := request.DeepCopy()
	approved.Status.Conditions = append(approved.Status.Conditions, certificates.CertificateSigningRequestCondition{
		Type: certificates.CertificateApproved, Status: core.ConditionTrue,
		Reason: "OwnNames", Message: "names and addresses are the node's own by the mesh",
	})
	requests := a.client.CertificatesV1().CertificateSigningRequests()
	if _, err := requests.UpdateApproval(ctx, request.Name, approved, metav1.UpdateOptions{}); err != nil {
		klog.Warningf("approve %s: %v; it is tried again", request.Name, err)
	}
}

// AllowApproval gives the controllers' user the right to what Run does.
func AllowApproval(client clientset.Interface) error {
	const group = certificates.GroupName
	role := &rbac.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: ruleName},
		Rules: []rbac.PolicyRule{
			{APIGroups: []string{group}, Resources: []string{"certificatesigningrequests"}, Verbs: []string{"get", "list", "watch"}},
			{APIGroups: []string{group}, Resources: []string{"certificatesigningrequests/approval"}, Verbs: []string{"update"}},
			{
				APIGroups: []string{group}, Resources: []string{"signers"}, Verbs: []string{"approve"},
				ResourceNames: []string{certificates.KubeletServingSignerName},
			},
		},
	}
	if err := apiclient.CreateOrUpdate(client.RbacV1().ClusterRoles(), role); err != nil {
		return err
	}
	return apiclient.CreateOrUpdate(client.RbacV1().ClusterRoleBindings(), &rbac.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: ruleName},
		RoleRef:    rbac.RoleRef{APIGroup: rbac.GroupName, Kind: "ClusterRole", Name: ruleName},
		Subjects:   []rbac.Subject{{APIGroup: rbac.GroupName, Kind: rbac.UserKind, Name: controllers}},
	})
}
