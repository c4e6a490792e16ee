// Package cluster holds what the node's configuration says of its cluster, and puts it in kubeadm's terms.
package cluster

import (
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"strings"

	"k8s.io/kubernetes/cmd/kubeadm/app/apis/kubeadm"
	kubeadmconfig "k8s.io/kubernetes/cmd/kubeadm/app/util/config"
)

// Options are the node's own values, from the unit's command line.
type Options struct {
	Directory    string
	NodeName     string
	NodeAddress  string
	AlsoAddress  string // by which the API server is reached from outside the mesh; may be empty
	ServiceRange string
	PodRange     string
	Domain       string
	Datastore    string // sqlite or etcd
}

// MetricsServer is the name by which the API server knows metrics-server, which shows the API server's own certificate.
const MetricsServer = "metrics-server.kube-system.svc"

// The data stores that node.ini knows.
const (
	SQLite = "sqlite"
	Etcd   = "etcd"
)

// Flags registers the options' flags.
func (o *Options) Flags(set *flag.FlagSet) {
	set.StringVar(&o.Directory, "directory", "/var/lib/kubernetes", "where pki/ and the kubeconfig files lie")
	set.StringVar(&o.NodeName, "node-name", "", "this node's name in the cluster")
	set.StringVar(&o.NodeAddress, "node-address", "", "the address that other nodes reach this one by")
	set.StringVar(&o.AlsoAddress, "also-address", "", "another address of this node for the API server's certificate")
	set.StringVar(&o.ServiceRange, "service-range", "10.43.0.0/16", "addresses of Services, of one family or of both with a comma between")
	set.StringVar(&o.PodRange, "pod-range", "10.42.0.0/16", "addresses of pods, likewise")
	set.StringVar(&o.Domain, "cluster-domain", "cluster.local", "DNS domain of the cluster")
	set.StringVar(&o.Datastore, "datastore", SQLite, "where the objects are kept: sqlite or etcd")
}

// Check says what is missing or malformed.
func (o *Options) Check() error {
	if o.NodeName == "" {
		return errors.New("--node-name is empty: the node has no name yet")
	}
	if _, err := netip.ParseAddr(o.NodeAddress); err != nil {
		return fmt.Errorf("--node-address %q is no IP address: the network gave the node none", o.NodeAddress)
	}
	if o.Datastore != SQLite && o.Datastore != Etcd {
		return fmt.Errorf("--datastore %q is neither %s nor %s", o.Datastore, SQLite, Etcd)
	}
	for flagName, value := range map[string]string{"service-range": o.ServiceRange, "pod-range": o.PodRange} {
		for _, one := range strings.Split(value, ",") {
			if _, err := netip.ParsePrefix(one); err != nil {
				return fmt.Errorf("--%s: %q is no address range such as 10.43.0.0/16", flagName, one)
			}
		}
	}
	return nil
}

// Kubeadm is the configuration that kubeadm's phases take, with the files below `directory`.
//
// Keys are ECDSA: an RSA key takes seconds to make on an emulated or small machine. sqlite counts as an
// external data store, for which no certificates are made.
func (o *Options) Kubeadm(directory string) (*kubeadm.InitConfiguration, error) {
	configuration, err := kubeadmconfig.DefaultedStaticInitConfiguration()
	if err != nil {
		return nil, err
	}
	configuration.NodeRegistration.Name = o.NodeName
	configuration.LocalAPIEndpoint.AdvertiseAddress = o.NodeAddress
	configuration.CertificatesDir = directory + "/pki"
	configuration.Networking.ServiceSubnet = o.ServiceRange
	configuration.Networking.PodSubnet = o.PodRange
	configuration.Networking.DNSDomain = o.Domain
	configuration.EncryptionAlgorithm = kubeadm.EncryptionAlgorithmECDSAP256
	configuration.Etcd = kubeadm.Etcd{External: &kubeadm.ExternalEtcd{}}
	if o.Datastore == Etcd {
		configuration.Etcd = kubeadm.Etcd{Local: &kubeadm.LocalEtcd{}}
	}
	configuration.APIServer.CertSANs = []string{"127.0.0.1", "::1", "localhost", MetricsServer}
	if o.AlsoAddress != "" {
		configuration.APIServer.CertSANs = append(configuration.APIServer.CertSANs, o.AlsoAddress)
	}
	return configuration, nil
}
