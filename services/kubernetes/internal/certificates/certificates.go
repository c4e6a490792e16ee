// Package certificates makes a node's keys, certificates and kubeconfig files on its first boot and renews them later.
//
// All of them are made by kubeadm's own phases in a directory beside their place, synced, and put there by one rename:
// a power cut leaves the old ones or the new ones, never a part.
package certificates

import (
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"k8s.io/kubernetes/cmd/kubeadm/app/apis/kubeadm"
	"k8s.io/kubernetes/cmd/kubeadm/app/constants"
	"k8s.io/kubernetes/cmd/kubeadm/app/phases/certs"
	"k8s.io/kubernetes/cmd/kubeadm/app/phases/kubeconfig"
	kubeadmutil "k8s.io/kubernetes/cmd/kubeadm/app/util"

	"thole/services/kubernetes/internal/cluster"
	"thole/services/kubernetes/internal/pki"
)

// The API server's built-in rules bind this name to what a kube-proxy needs.
const proxyUser = "system:kube-proxy"

// Where a server's member of the data store lies, when that is etcd.
const memberFolder = "/var/lib/etcd/member"

// Main is the program kubernetes-certificates.
func Main(arguments []string) int {
	var options cluster.Options
	set := flag.NewFlagSet("kubernetes-certificates", flag.ExitOnError)
	options.Flags(set)
	_ = set.Parse(arguments)
	if err := ensure(&options); err != nil {
		fmt.Fprintf(os.Stderr, "kubernetes-certificates: %v\n", err)
		return 1
	}
	return 0
}

// ensure makes what is missing, renews what is old, and leaves alone what is good.
func ensure(options *cluster.Options) error {
	if err := options.Check(); err != nil {
		return err
	}
	if err := checkDatastore(options.Datastore, memberFolder); err != nil {
		return err
	}
	wanted, err := wantedBy(options)
	if err != nil {
		return err
	}
	reason := pki.Check(options.Directory, wanted, time.Now())
	switch {
	case reason == nil:
		fmt.Printf("certificates in %s are good\n", options.Directory)
		return nil
	case errors.Is(reason, pki.ErrMissing):
		fmt.Printf("first boot: making certificates in %s\n", options.Directory)
	case errors.Is(reason, pki.ErrBroken):
		return fmt.Errorf("%s: %w; put the files back from a copy, or remove the directory and the data store's "+
			"(/var/lib/kine, /var/lib/etcd) to start a new cluster", options.Directory, reason)
	default:
		fmt.Printf("making new certificates from the same authority in %s: %v\n", options.Directory, reason)
	}
	return replace(options.Directory, func(directory string) error { return fill(options, directory) })
}

func wantedBy(options *cluster.Options) (pki.Wanted, error) {
	service, err := constants.GetAPIServerVirtualIP(options.ServiceRange)
	if err != nil {
		return pki.Wanted{}, err
	}
	address := netip.MustParseAddr(options.NodeAddress).String()
	node := []string{options.NodeName, address}
	if options.AlsoAddress != "" {
		node = append(node, options.AlsoAddress)
	}
	server := []string{"127.0.0.1", "localhost", service.String(), "kubernetes.default.svc." + options.Domain, cluster.MetricsServer}
	wanted := pki.Wanted{NodeName: options.NodeName, ServerNames: append(server, node...)}
	if options.Datastore == cluster.Etcd {
		wanted.MemberNames = []string{options.NodeName, address, "127.0.0.1", "localhost"}
	}
	return wanted, nil
}

// checkDatastore refuses a server whose objects are in etcd already, and which would show an empty cluster in sqlite. The
// other way round it is refused before (etcd authorities).
func checkDatastore(chosen, folder string) error {
	if _, err := os.Stat(folder); err != nil || chosen == cluster.Etcd {
		return nil
	}
	return fmt.Errorf("this server has a cluster in etcd (%s), which does not become one in sqlite: set "+
		"kubernetes.datastore = etcd again, or begin with an empty disk", folder)
}

// fill makes in `directory` whatever is not there, by kubeadm's phases "certs all" and "kubeconfig all".
func fill(options *cluster.Options, directory string) error {
	configuration, err := options.Kubeadm(directory)
	if err != nil {
		return err
	}
	if err := certs.CreatePKIAssets(configuration); err != nil {
		return err
	}
	if err := ensureEncryption(directory); err != nil {
		return err
	}
	// The node's own components reach their API server on loopback, whatever becomes of the node's address.
	configuration.LocalAPIEndpoint.AdvertiseAddress = "127.0.0.1"
	for _, name := range []string{
		constants.AdminKubeConfigFileName, constants.SuperAdminKubeConfigFileName, constants.KubeletKubeConfigFileName,
		constants.ControllerManagerKubeConfigFileName, constants.SchedulerKubeConfigFileName,
	} {
		if err := kubeconfig.CreateKubeConfigFile(name, directory, configuration); err != nil {
			return err
		}
	}
	for name, user := range ownUsers {
		if err := ownKubeconfig(filepath.Join(directory, name), user, configuration); err != nil {
			return err
		}
	}
	return nil
}

// ownUsers: those programs that kubeadm runs in pods, with a pod's token, and that are units here.
var ownUsers = map[string]string{
	"kube-proxy.conf":             proxyUser,
	"metrics-server.conf":         "thole:metrics-server",
	"local-path-provisioner.conf": "thole:local-path-provisioner",
}

// ownKubeconfig writes such a program's file.
func ownKubeconfig(path, user string, configuration *kubeadm.InitConfiguration) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	notAfter := kubeadmutil.StartTimeUTC().Add(constants.CertificateValidityPeriod)
	if err := kubeconfig.WriteKubeConfigWithClientCert(file, configuration, user, nil, notAfter); err != nil {
		return err
	}
	return file.Close()
}
