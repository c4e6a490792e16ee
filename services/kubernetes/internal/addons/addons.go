// Package addons puts into a cluster what every cluster has: the administrator's rights, the rules by which nodes join
// and renew their certificates, and CoreDNS, all by kubeadm's own phases; and the objects of what node.ini switches on.
package addons

import (
	"encoding/base64"
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

// options say what this server wants the cluster to have.
type options struct {
	cluster.Options
	versions      string
	stamp         string
	metricsPort   string
	dns           bool
	metrics       bool
	localStorage  bool
	networkPolicy bool
}

// onOff is a flag that takes what node.ini has for a boolean.
type onOff struct{ value *bool }

func (f onOff) String() string { return "" }

func (f onOff) Set(text string) error {
	switch text {
	case "yes":
		*f.value = true
	case "no":
		*f.value = false
	default:
		return fmt.Errorf("%q is neither yes nor no", text)
	}
	return nil
}

// Main is the program kubernetes-addons.
func Main(arguments []string) int {
	o := options{dns: true, metrics: true, localStorage: true, networkPolicy: true}
	set := flag.NewFlagSet("kubernetes-addons", flag.ExitOnError)
	o.Flags(set)
	set.StringVar(&o.stamp, "stamp", "", "file that says what is in the cluster; nothing is done where it says all of it")
	set.StringVar(&o.versions, "versions", "", "of what is installed: others are installed again")
	set.StringVar(&o.metricsPort, "metrics-port", "10251", "where metrics-server listens on this node")
	set.Var(onOff{&o.dns}, "dns", "install CoreDNS; one that is there stays")
	set.Var(onOff{&o.metrics}, "metrics", "the metrics API")
	set.Var(onOff{&o.localStorage}, "local-storage", "the storage class local-path")
	set.Var(onOff{&o.networkPolicy}, "network-policy", "let nodes read NetworkPolicies")
	_ = set.Parse(arguments)
	if err := o.install(); err != nil {
		fmt.Fprintf(os.Stderr, "kubernetes-addons: %v\n", err)
		return 1
	}
	return 0
}

func (o *options) install() error {
	if err := o.Check(); err != nil {
		return err
	}
	if readStamp(o.stamp) == o.stampText() {
		return nil
	}
	configuration, err := o.Kubeadm(o.Directory)
	if err != nil {
		return err
	}
	client, err := kubeconfig.EnsureAdminClusterRoleBinding(o.Directory, nil)
	if err != nil {
		return fmt.Errorf("give the administrator rights: %w", err)
	}
	if err := allowJoining(client, &o.Options); err != nil {
		return fmt.Errorf("make the rules for joining nodes: %w", err)
	}
	if o.dns {
		if err := ensureDNS(client, configuration); err != nil {
			return fmt.Errorf("install CoreDNS: %w", err)
		}
	}
	if err := o.installObjects(); err != nil {
		return err
	}
	return leaveStamp(o.stamp, o.stampText())
}

// switches are the manifests of objects/, and whether each is wanted.
func switches(o *options) map[string]bool {
	return map[string]bool{
		"metrics": o.metrics, "local-storage": o.localStorage, "network-policy": o.networkPolicy,
	}
}

func (o *options) installObjects() error {
	config, err := clientcmd.BuildConfigFromFlags("", filepath.Join(o.Directory, constants.AdminKubeConfigFileName))
	if err != nil {
		return err
	}
	authority, err := os.ReadFile(filepath.Join(o.Directory, "pki", constants.CACertName))
	if err != nil {
		return err
	}
	installed, err := newTarget(config)
	if err != nil {
		return err
	}
	values := map[string]string{
		"NODE_NAME":    o.NodeName,
		"NODE_ADDRESS": o.NodeAddress,
		"METRICS_PORT": o.metricsPort,
		"AUTHORITY":    base64.StdEncoding.EncodeToString(authority),
	}
	for name, wanted := range switches(o) {
		objects, err := objectsOf(name, values)
		if err != nil {
			return err
		}
		change, doing := installed.apply, "install"
		if !wanted {
			change, doing = installed.remove, "remove"
		}
		if err := change(objects); err != nil {
			return fmt.Errorf("%s %s: %w", doing, name, err)
		}
	}
	return nil
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
