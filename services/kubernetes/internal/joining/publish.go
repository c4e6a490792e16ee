package joining

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	rbac "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	clientset "k8s.io/client-go/kubernetes"
	bootstrapapi "k8s.io/cluster-bootstrap/token/api"
	bootstraputil "k8s.io/cluster-bootstrap/token/util"
	bootstraptoken "k8s.io/kubernetes/cmd/kubeadm/app/apis/bootstraptoken/v1"
	"k8s.io/kubernetes/cmd/kubeadm/app/constants"
	"k8s.io/kubernetes/cmd/kubeadm/app/phases/bootstraptoken/node"
	"k8s.io/kubernetes/cmd/kubeadm/app/util/apiclient"
	kubeconfigutil "k8s.io/kubernetes/cmd/kubeadm/app/util/kubeconfig"

	"thole/services/kubernetes/internal/serving"
)

// What nodes may do besides what every cluster lets them: their kube-proxy reads Services, they look at the owners of
// pods that they move away, and take themselves out of the cluster. Admission keeps each to its own Node object.
const nodeRole = "thole:nodes"

// What our tokens are known by, so that those of a secret that is gone can be taken away.
const description = "made from the mesh's secret"

// ServerMain is the program kubernetes-token: it puts the join token into the cluster, and the rules for those who join.
func ServerMain(arguments []string) int {
	set := flag.NewFlagSet("kubernetes-token", flag.ExitOnError)
	directory := set.String("directory", "/var/lib/kubernetes", "where the kubeconfig files lie")
	tokenFile := set.String("token-file", "/run/kubernetes/token", "the cluster's join tokens")
	_ = set.Parse(arguments)
	if err := publish(filepath.Join(*directory, constants.SuperAdminKubeConfigFileName), *tokenFile); err != nil {
		fmt.Fprintf(os.Stderr, "kubernetes-token: %v\n", err)
		return 1
	}
	return 0
}

func publish(kubeconfig, tokenFile string) error {
	client, err := kubeconfigutil.ClientSetFromFile(kubeconfig)
	if err != nil {
		return fmt.Errorf("use %s: %w", kubeconfig, err)
	}
	if err := serving.AllowApproval(client); err != nil {
		return fmt.Errorf("let the controllers approve the nodes' certificates: %w", err)
	}
	if err := allowNodes(client); err != nil {
		return fmt.Errorf("give the nodes their rights: %w", err)
	}
	tokens, err := readTokens(tokenFile)
	if err != nil {
		return err
	}
	if err := publishTokens(client, tokens); err != nil {
		return fmt.Errorf("publish the join token: %w", err)
	}
	return removeOthers(client, tokens)
}

func allowNodes(client clientset.Interface) error {
	role := &rbac.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: nodeRole},
		Rules: []rbac.PolicyRule{
			{APIGroups: []string{"apps"}, Resources: []string{"daemonsets"}, Verbs: []string{"get"}},
			{APIGroups: []string{""}, Resources: []string{"nodes"}, Verbs: []string{"delete"}},
		},
	}
	if err := apiclient.CreateOrUpdate(client.RbacV1().ClusterRoles(), role); err != nil {
		return err
	}
	for name, of := range map[string]string{nodeRole: nodeRole, nodeRole + ":proxy": constants.KubeProxyClusterRoleName} {
		err := apiclient.CreateOrUpdate(client.RbacV1().ClusterRoleBindings(), &rbac.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			RoleRef:    rbac.RoleRef{APIGroup: rbac.GroupName, Kind: "ClusterRole", Name: of},
			Subjects:   []rbac.Subject{{APIGroup: rbac.GroupName, Kind: rbac.GroupKind, Name: constants.NodesGroup}},
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func publishTokens(client clientset.Interface, tokens []string) error {
	var all []bootstraptoken.BootstrapToken
	for _, text := range tokens {
		parsed, err := bootstraptoken.NewBootstrapTokenString(text)
		if err != nil {
			return err
		}
		all = append(all, bootstraptoken.BootstrapToken{
			Token:       parsed,
			Description: description,
			Usages:      []string{"signing", "authentication"},
			Groups:      []string{constants.NodeBootstrapTokenAuthGroup},
		})
	}
	return node.UpdateOrCreateTokens(client, false, all)
}

// removeOthers takes the tokens of secrets before away: whoever only knows one of them is not let in any more.
func removeOthers(client clientset.Interface, tokens []string) error {
	kept := map[string]bool{}
	for _, text := range tokens {
		parsed, err := bootstraptoken.NewBootstrapTokenString(text)
		if err != nil {
			return err
		}
		kept[bootstraputil.BootstrapTokenSecretName(parsed.ID)] = true
	}
	secrets := client.CoreV1().Secrets(metav1.NamespaceSystem)
	selector := fields.OneTermEqualSelector("type", string(bootstrapapi.SecretTypeBootstrapToken)).String()
	list, err := secrets.List(context.Background(), metav1.ListOptions{FieldSelector: selector})
	if err != nil {
		return err
	}
	for _, secret := range list.Items {
		ours := string(secret.Data[bootstrapapi.BootstrapTokenDescriptionKey]) == description
		if !ours || kept[secret.Name] {
			continue
		}
		if err := secrets.Delete(context.Background(), secret.Name, metav1.DeleteOptions{}); err != nil {
			return err
		}
	}
	return nil
}
