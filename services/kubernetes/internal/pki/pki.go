// Package pki says whether a node's certificates are complete, belong to this node, and last long enough.
//
// It reads the files with the standard library alone: kubeadm's own code takes what it finds and only warns.
package pki

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// RenewBefore is how long before their end certificates are renewed: a node that boots once in eight months never
// runs with an expired one.
const RenewBefore = 120 * 24 * time.Hour

// Authorities are made once, for ten years, and kept: everything else is signed by them.
var authorities = []string{
	"pki/ca.crt", "pki/front-proxy-ca.crt", "pki/ca.key", "pki/front-proxy-ca.key", "pki/sa.key", "pki/sa.pub",
}

// Encryption has the key with which Secrets are encrypted in the data store.
const Encryption = "pki/encryption.yaml"

// The authority of a data store that is on several servers.
var etcdAuthority = []string{"pki/etcd/ca.crt", "pki/etcd/ca.key"}

var pairs = []string{"pki/apiserver", "pki/apiserver-kubelet-client", "pki/front-proxy-client"}

var etcdPairs = []string{"pki/etcd/server", "pki/etcd/peer", "pki/etcd/healthcheck-client", "pki/apiserver-etcd-client"}

// Pairs are the certificates that the authorities sign, without their ".crt" and ".key", on any server.
func Pairs() []string { return append(append([]string{}, pairs...), etcdPairs...) }

// Kubeconfigs hold a client's certificate each.
var Kubeconfigs = []string{
	"admin.conf", "super-admin.conf", "kubelet.conf", "controller-manager.conf", "scheduler.conf", "kube-proxy.conf",
	"metrics-server.conf", "local-path-provisioner.conf",
}

// ErrMissing: there is no directory, or nothing in it; everything is to be made.
var ErrMissing = errors.New("not made yet")

// ErrBroken: the directory is there, but an authority's certificate or key is not. New ones would be another cluster.
var ErrBroken = errors.New("the cluster's authority is incomplete")

// Wanted is what the certificates must say.
type Wanted struct {
	NodeName string
	// Names and addresses that the API server is reached by.
	ServerNames []string
	// Names and addresses that its member of the data store is reached by; empty where that is sqlite.
	MemberNames []string
}

func (w Wanted) withEtcd() bool { return len(w.MemberNames) > 0 }

// Check gives nil where all is well, ErrMissing where nothing is there, ErrBroken where the authorities are lost,
// and otherwise the reason why certificates have to be made anew from the authorities.
func Check(directory string, wanted Wanted, now time.Time) error {
	entries, err := os.ReadDir(directory)
	if errors.Is(err, fs.ErrNotExist) || (err == nil && len(entries) == 0) {
		return ErrMissing
	}
	if err != nil {
		return err
	}
	signers, signed := authorities, pairs
	if wanted.withEtcd() {
		signers, signed = append(append([]string{}, signers...), etcdAuthority...), Pairs()
	}
	for _, name := range signers {
		info, err := os.Stat(filepath.Join(directory, name))
		if err != nil {
			return fmt.Errorf("%w: %w", ErrBroken, err)
		}
		if info.Size() == 0 {
			return fmt.Errorf("%w: %s/%s is empty", ErrBroken, directory, name)
		}
	}
	if info, err := os.Stat(filepath.Join(directory, Encryption)); err != nil {
		return fmt.Errorf("there is no key for Secrets yet: %w", err)
	} else if info.Size() == 0 {
		return fmt.Errorf("%w: %s/%s is empty", ErrBroken, directory, Encryption)
	}
	for _, name := range signed {
		if err := checkPair(directory, name, wanted, now); err != nil {
			return err
		}
	}
	for _, name := range Kubeconfigs {
		if err := checkKubeconfig(directory, name, wanted, now); err != nil {
			return err
		}
	}
	return nil
}

func checkPair(directory, name string, wanted Wanted, now time.Time) error {
	if info, err := os.Stat(filepath.Join(directory, name+".key")); err != nil || info.Size() == 0 {
		return fmt.Errorf("%s.key is missing or empty", name)
	}
	content, err := os.ReadFile(filepath.Join(directory, name+".crt"))
	if err != nil {
		return err
	}
	certificate, err := parse(content)
	if err != nil {
		return fmt.Errorf("%s.crt: %w", name, err)
	}
	names := map[string][]string{
		"pki/apiserver":   wanted.ServerNames,
		"pki/etcd/server": wanted.MemberNames,
		"pki/etcd/peer":   wanted.MemberNames,
	}
	for _, host := range names[name] {
		if err := certificate.VerifyHostname(host); err != nil {
			return fmt.Errorf("%s.crt is not for %s", name, host)
		}
	}
	return checkDates(name+".crt", certificate, now)
}

func checkKubeconfig(directory, name string, wanted Wanted, now time.Time) error {
	content, err := os.ReadFile(filepath.Join(directory, name))
	if err != nil {
		return err
	}
	_, rest, found := bytes.Cut(content, []byte("client-certificate-data: "))
	line, _, _ := bytes.Cut(rest, []byte("\n"))
	if !found {
		return fmt.Errorf("%s has no client certificate", name)
	}
	decoded, err := base64.StdEncoding.DecodeString(string(bytes.TrimSpace(line)))
	if err != nil {
		return fmt.Errorf("%s: client certificate: %w", name, err)
	}
	certificate, err := parse(decoded)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if node := "system:node:" + wanted.NodeName; name == "kubelet.conf" && certificate.Subject.CommonName != node {
		return fmt.Errorf("%s is for %s, this node is %s", name, certificate.Subject.CommonName, node)
	}
	return checkDates(name, certificate, now)
}

func parse(content []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(content)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, errors.New("there is no certificate in it")
	}
	return x509.ParseCertificate(block.Bytes)
}

func checkDates(name string, certificate *x509.Certificate, now time.Time) error {
	if now.Add(RenewBefore).After(certificate.NotAfter) {
		return fmt.Errorf("%s ends on %s", name, certificate.NotAfter.UTC().Format(time.DateOnly))
	}
	return nil
}
