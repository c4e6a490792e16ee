package serving

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	certificates "k8s.io/api/certificates/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	helpers "k8s.io/kubernetes/pkg/apis/certificates"
)

const nodePrefix = "system:node:"

// check says why a request is not to be approved: it must come from a node, and name nothing but that node.
func check(request *certificates.CertificateSigningRequest, known nodes) error {
	content, err := helpers.ParseCSR(request.Spec.Request)
	if err != nil {
		return fmt.Errorf("it cannot be read: %w", err)
	}
	usages := sets.NewString()
	for _, usage := range request.Spec.Usages {
		usages.Insert(string(usage))
	}
	if err := helpers.ValidateKubeletServingCSR(content, usages); err != nil {
		return err
	}
	if request.Spec.Username != content.Subject.CommonName {
		return fmt.Errorf("%s asks for a certificate of %s", request.Spec.Username, content.Subject.CommonName)
	}
	return checkNames(strings.TrimPrefix(content.Subject.CommonName, nodePrefix), content, known)
}

func checkNames(node string, content *x509.CertificateRequest, known nodes) error {
	if node == "" {
		return errors.New("it names no node")
	}
	for _, name := range content.DNSNames {
		if name != node {
			return fmt.Errorf("the name %s is not that of %s", name, node)
		}
	}
	for _, ip := range content.IPAddresses {
		address, valid := netip.AddrFromSlice(ip)
		if !valid || !known.has(node, address) {
			return fmt.Errorf("the mesh does not know %s as an address of %s", ip, node)
		}
	}
	return nil
}
