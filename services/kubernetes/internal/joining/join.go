// Package joining is both ends of a node's way into the cluster: the server publishes a join token that it works out
// from the mesh's secret, and the agent, which works out the same one, learns by it whom to trust.
//
// The trust goes both ways as in kubeadm: cluster-info is signed with the token (JWS), so that the agent knows the
// cluster's authority without having seen it before, and the token lets the kubelet ask for its first certificate.
package joining

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/kubernetes/cmd/kubeadm/app/apis/kubeadm"
	"k8s.io/kubernetes/cmd/kubeadm/app/constants"
	"k8s.io/kubernetes/cmd/kubeadm/app/discovery/token"
	kubeconfigutil "k8s.io/kubernetes/cmd/kubeadm/app/util/kubeconfig"

	"thole/services/kubernetes/internal/atomicfile"
)

const (
	clusterName = "kubernetes"
	// The kubelet keeps its present certificate and key behind this name, and replaces both as they age.
	kubeletPair = "/var/lib/kubelet/pki/kubelet-client-current.pem"
	patience    = 15 * time.Second
)

type agent struct {
	directory string
	tokenFile string
	endpoint  string
}

// AgentMain is the program kubernetes-join: it ends when the node has all that the kubelet needs to ask for its
// certificate, however long that takes.
func AgentMain(arguments []string) int {
	var options agent
	set := flag.NewFlagSet("kubernetes-join", flag.ExitOnError)
	set.StringVar(&options.directory, "directory", "/var/lib/kubernetes", "where pki/ and the kubeconfig files lie")
	set.StringVar(&options.tokenFile, "token-file", "/run/kubernetes/token", "the cluster's join token")
	set.StringVar(&options.endpoint, "endpoint", "127.0.0.1:6444", "where the cluster's servers are reached")
	_ = set.Parse(arguments)
	if err := options.join(); err != nil {
		fmt.Fprintf(os.Stderr, "kubernetes-join: %v\n", err)
		return 1
	}
	return 0
}

// join asks until a server answers; a node that has joined before needs none.
func (a *agent) join() error {
	text, err := readToken(a.tokenFile)
	if err != nil {
		return err
	}
	known, err := os.ReadFile(a.authorityFile())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if len(known) > 0 {
		// The servers may be away. Should they be others by now, the kubelet refuses them.
		fmt.Println("this node has joined before")
		return a.write(known, text)
	}
	said := ""
	for {
		authority, err := a.discover(text)
		if err == nil {
			fmt.Println("found the cluster; the kubelet asks for its certificate next")
			return a.write(authority, text)
		}
		if reason := firstLine(err); reason != said {
			said = reason
			fmt.Printf("waiting for a server of the cluster: %s\n", reason)
		}
		time.Sleep(time.Second)
	}
}

func (a *agent) authorityFile() string { return filepath.Join(a.directory, "pki", "ca.crt") }

// discover gives the certificate of the cluster's authority, which the token vouches for.
func (a *agent) discover(text string) ([]byte, error) {
	discovery := &kubeadm.Discovery{BootstrapToken: &kubeadm.BootstrapTokenDiscovery{
		Token: text, APIServerEndpoint: a.endpoint, UnsafeSkipCAVerification: true,
	}}
	found, err := token.RetrieveValidatedConfigInfo(nil, discovery, patience)
	if err != nil {
		return nil, err
	}
	_, cluster, err := kubeconfigutil.GetClusterFromKubeConfig(found)
	if err != nil {
		return nil, err
	}
	if len(cluster.CertificateAuthorityData) == 0 {
		return nil, errors.New("cluster-info has no certificate of an authority")
	}
	return cluster.CertificateAuthorityData, nil
}

// write leaves the authority's certificate for last: where it is, the rest is.
func (a *agent) write(authority []byte, text string) error {
	server := "https://" + a.endpoint
	bootstrap := kubeconfigutil.CreateWithToken(server, clusterName, token.BootstrapUser, authority, text)
	proxy := kubeconfigutil.CreateBasic(server, clusterName, "kube-proxy", authority)
	proxy.AuthInfos["kube-proxy"] = &clientcmdapi.AuthInfo{ClientCertificate: kubeletPair, ClientKey: kubeletPair}
	for name, config := range map[string]*clientcmdapi.Config{
		constants.KubeletBootstrapKubeConfigFileName: bootstrap,
		"kube-proxy.conf": proxy,
	} {
		if err := atomicfile.WriteKubeconfig(filepath.Join(a.directory, name), config); err != nil {
			return err
		}
	}
	return atomicfile.Write(a.authorityFile(), authority, 0o600)
}

// readToken gives the token of the secret that is in force.
func readToken(path string) (string, error) {
	tokens, err := readTokens(path)
	if err == nil && len(tokens) == 0 {
		err = fmt.Errorf("%s has no join token in it: the node is in no mesh", path)
	}
	if err != nil {
		return "", err
	}
	return tokens[0], nil
}

// readTokens gives what is there: the token of the secret in force, and the one of the secret before.
func readTokens(path string) ([]string, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the join token: %w", err)
	}
	return strings.Fields(string(content)), nil
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}
