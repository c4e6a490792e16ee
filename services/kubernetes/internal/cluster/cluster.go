// Package cluster holds what the node's configuration says of its cluster, and puts it in kubeadm's terms.
package cluster

import (
	"errors"
	"flag"
	"fmt"
	"net/netip"

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
}

// Flags registers the options' flags.
func (o *Options) Flags(set *flag.FlagSet) {
	set.StringVar(&o.Directory, "directory", "/var/lib/kubernetes", "where pki/ and the kubeconfig files lie")
	set.StringVar(&o.NodeName, "node-name", "", "this node's name in the cluster")
	set.StringVar(&o.NodeAddress, "node-address", "", "the address that other nodes reach this one by")
	set.StringVar(&o.AlsoAddress, "also-address", "", "another address of this node for the API server's certificate")
	set.StringVar(&o.ServiceRange, "service-range", "10.43.0.0/16", "addresses of Services")
	set.StringVar(&o.PodRange, "pod-range", "10.42.0.0/16", "addresses of pods")
	set.StringVar(&o.Domain, "cluster-domain", "cluster.local", "DNS domain of the cluster")
}

// Check says what is missing or malformed.
func (o *Options) Check() error {
	if o.NodeName == "" {
		return errors.New("--node-name is empty: the node has no name yet")
	}
	if _, err := netip.ParseAddr(o.NodeAddress); err != nil {
		return fmt.Errorf("--node-address %q is no IP address: the network gave the node none", o.NodeAddress)
	}
	for flagName, value := range map[string]string{"service-range": o.ServiceRange, "pod-range": o.PodRange} {
		if _, err := netip.ParsePrefix(value); err != nil {
			return fmt.Errorf("--%s %q is no address range such as 10.43.0.0/16", flagName, value)
		}
	}
	return nil
}

// Kubeadm is the configuration that kubeadm's phases take, with the files below `directory`.
//
// Keys are ECDSA: an RSA key takes seconds to make on an emulated or small machine. The datastore counts as external, so
// no certificates for an etcd are made.
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
	configuration.APIServer.CertSANs = []string{"127.0.0.1", "::1", "localhost"}
	if o.AlsoAddress != "" {
		configuration.APIServer.CertSANs = append(configuration.APIServer.CertSANs, o.AlsoAddress)
	}
	return configuration, nil
}
