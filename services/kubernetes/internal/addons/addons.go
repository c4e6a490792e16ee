// Package addons puts into a new cluster what every cluster has: the administrator's rights, the rules by which nodes
// join and renew their certificates, and CoreDNS. All of it is kubeadm's own phases.
package addons

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	clientset "k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/kubernetes/cmd/kubeadm/app/apis/kubeadm"
	"k8s.io/kubernetes/cmd/kubeadm/app/constants"
	"k8s.io/kubernetes/cmd/kubeadm/app/phases/addons/dns"
	"k8s.io/kubernetes/cmd/kubeadm/app/phases/bootstraptoken/clusterinfo"
	"k8s.io/kubernetes/cmd/kubeadm/app/phases/bootstraptoken/node"
	"k8s.io/kubernetes/cmd/kubeadm/app/phases/kubeconfig"

	"thole/services/kubernetes/internal/cluster"
)

// One CoreDNS answers a small cluster; kubeadm's default of two spends memory on a node that may be the only one.
const dnsPatch = "spec:\n  replicas: 1\n"

// Main is the program kubernetes-addons.
func Main(arguments []string) int {
	var options cluster.Options
	var stamp string
	set := flag.NewFlagSet("kubernetes-addons", flag.ExitOnError)
	options.Flags(set)
	set.StringVar(&stamp, "stamp", "", "file to make when all is done; its unit does not start again where it is")
	_ = set.Parse(arguments)
	if err := apply(&options, stamp); err != nil {
		fmt.Fprintf(os.Stderr, "kubernetes-addons: %v\n", err)
		return 1
	}
	return 0
}

func apply(options *cluster.Options, stamp string) error {
	if err := options.Check(); err != nil {
		return err
	}
	configuration, err := options.Kubeadm(options.Directory)
	if err != nil {
		return err
	}
	client, err := kubeconfig.EnsureAdminClusterRoleBinding(options.Directory, nil)
	if err != nil {
		return fmt.Errorf("give the administrator rights: %w", err)
	}
	if err := allowJoining(client, options); err != nil {
		return fmt.Errorf("make the rules for joining nodes: %w", err)
	}
	if err := ensureDNS(client, configuration); err != nil {
		return fmt.Errorf("install CoreDNS: %w", err)
	}
	return leaveStamp(stamp)
}

// allowJoining is kubeadm's bootstrap-token phase without a token: one is made when a node is to join.
func allowJoining(client clientset.Interface, options *cluster.Options) error {
	for _, step := range []func(clientset.Interface) error{
		node.AllowBootstrapTokensToGetNodes,
		node.AllowBootstrapTokensToPostCSRs,
		node.AutoApproveNodeBootstrapTokens,
		node.AutoApproveNodeCertificateRotation,
		clusterinfo.CreateClusterInfoRBACRules,
	} {
		if err := step(client); err != nil {
			return err
		}
	}
	admin, err := clientcmd.LoadFromFile(filepath.Join(options.Directory, constants.AdminKubeConfigFileName))
	if err != nil {
		return err
	}
	for _, entry := range admin.Clusters {
		// The file says loopback; another node needs the address.
		entry.Server = "https://" + hostPort(options.NodeAddress, constants.KubeAPIServerPort)
	}
	return clusterinfo.CreateBootstrapConfigMapIfNotExists(client, admin)
}

// ensureDNS installs CoreDNS with one replica, or updates it and leaves the number that it has by now.
func ensureDNS(client clientset.Interface, configuration *kubeadm.InitConfiguration) error {
	patches := ""
	deployed, err := dns.DeployedDNSAddon(client)
	if err != nil {
		return err
	}
	if deployed == "" {
		if patches, err = os.MkdirTemp("", "addons"); err != nil {
			return err
		}
		defer os.RemoveAll(patches)
		patch := filepath.Join(patches, "corednsdeployment+strategic.yaml")
		if err := os.WriteFile(patch, []byte(dnsPatch), 0o600); err != nil {
			return err
		}
	}
	return dns.EnsureDNSAddon(&configuration.ClusterConfiguration, client, patches, io.Discard, false)
}
