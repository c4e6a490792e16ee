package nodecommand

import (
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	rbac "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientset "k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	certutil "k8s.io/client-go/util/cert"
	"k8s.io/client-go/util/keyutil"
	"k8s.io/kubernetes/cmd/kubeadm/app/apis/kubeadm"
	"k8s.io/kubernetes/cmd/kubeadm/app/constants"
	"k8s.io/kubernetes/cmd/kubeadm/app/util/apiclient"
	kubeconfigutil "k8s.io/kubernetes/cmd/kubeadm/app/util/kubeconfig"
	"k8s.io/kubernetes/cmd/kubeadm/app/util/pkiutil"
)

const (
	readers     = "thole:readers"
	readerYears = 1
)

func kubeconfigVerb(node *local, arguments []string) error {
	set := flag.NewFlagSet("thole kubernetes kubeconfig", flag.ContinueOnError)
	readOnly := set.Bool("read-only", false, "rights to see, and to change nothing; for a year")
	server := set.String("server", "", "name or address by which this server is reached (default: its address outside the mesh)")
	if err := parse(set, arguments); err != nil {
		return err
	}
	if !node.server {
		return errors.New("this node is an agent and has no more rights than its own; ask a server")
	}
	config, err := clientcmd.LoadFromFile(filepath.Join(directory, constants.AdminKubeConfigFileName))
	if err != nil {
		return err
	}
	_, cluster, err := kubeconfigutil.GetClusterFromKubeConfig(config)
	if err != nil {
		return err
	}
	address := "https://" + net.JoinHostPort(reachedBy(*server), fmt.Sprint(constants.KubeAPIServerPort))
	cluster.Server = address
	if *readOnly {
		if config, err = node.reader(address, cluster.CertificateAuthorityData); err != nil {
			return err
		}
	}
	content, err := clientcmd.Write(*config)
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(content)
	return err
}

// reachedBy is what a person said, or the node's own address where the world outside the mesh sees it.
func reachedBy(wanted string) string {
	if wanted != "" {
		return wanted
	}
	if outside := environment("/run/thole/kubernetes.env")["OUTSIDE_ADDRESS"]; outside != "" {
		return outside
	}
	return "127.0.0.1"
}

// reader makes a certificate of a group that may see all but secrets.
func (n *local) reader(server string, authority []byte) (*clientcmdapi.Config, error) {
	client, err := n.client()
	if err != nil {
		return nil, err
	}
	if err := allowReaders(client); err != nil {
		return nil, fmt.Errorf("give readers their rights: %w", err)
	}
	certificate, key, err := pkiutil.TryLoadCertAndKeyFromDisk(filepath.Join(directory, "pki"), constants.CACertAndKeyBaseName)
	if err != nil {
		return nil, err
	}
	made, madeKey, err := pkiutil.NewCertAndKey(certificate, key, &pkiutil.CertConfig{
		Config: certutil.Config{
			CommonName: "reader", Organization: []string{readers}, Usages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		},
		NotAfter:            time.Now().AddDate(readerYears, 0, 0),
		EncryptionAlgorithm: kubeadm.EncryptionAlgorithmECDSAP256,
	})
	if err != nil {
		return nil, err
	}
	text, err := keyutil.MarshalPrivateKeyToPEM(madeKey)
	if err != nil {
		return nil, err
	}
	return kubeconfigutil.CreateWithCerts(server, "kubernetes", "reader", authority, text, pkiutil.EncodeCertPEM(made)), nil
}

// allowReaders binds the built-in role "view" and, besides it, what is of no namespace.
func allowReaders(client clientset.Interface) error {
	see := []string{"get", "list", "watch"}
	role := &rbac.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: readers},
		Rules: []rbac.PolicyRule{
			{APIGroups: []string{""}, Resources: []string{"nodes", "namespaces", "persistentvolumes"}, Verbs: see},
			{APIGroups: []string{"storage.k8s.io"}, Resources: []string{"storageclasses"}, Verbs: see},
			{APIGroups: []string{"metrics.k8s.io"}, Resources: []string{"nodes", "pods"}, Verbs: see},
		},
	}
	if err := apiclient.CreateOrUpdate(client.RbacV1().ClusterRoles(), role); err != nil {
		return err
	}
	for name, of := range map[string]string{readers: readers, readers + ":view": "view"} {
		err := apiclient.CreateOrUpdate(client.RbacV1().ClusterRoleBindings(), &rbac.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			RoleRef:    rbac.RoleRef{APIGroup: rbac.GroupName, Kind: "ClusterRole", Name: of},
			Subjects:   []rbac.Subject{{APIGroup: rbac.GroupName, Kind: rbac.GroupKind, Name: readers}},
		})
		if err != nil {
			return err
		}
	}
	return nil
}
