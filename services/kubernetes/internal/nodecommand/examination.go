package nodecommand

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
	core "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientset "k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

const (
	// Certificates are renewed long before: at boot, or by the kubelet itself.
	soon      = 14 * 24 * time.Hour
	tryPeriod = 3 * time.Second
	// RFC 863; nobody has it.
	discardPort = "9"
)

// examination asks everything once. Each question gives the findings that it leads to.
type examination struct {
	ctx    context.Context
	node   *local
	client clientset.Interface
}

func (e *examination) all() []finding {
	findings := e.components()
	findings = append(findings, e.certificates()...)
	if e.node.server {
		findings = append(findings, store()...)
	}
	findings = append(findings, e.nodes()...)
	return append(findings, e.network()...)
}

func result(what string, err error, detail string) finding {
	if err != nil {
		return finding{What: what, Detail: err.Error()}
	}
	return finding{What: what, OK: true, Detail: detail}
}

// components asks each program on its own health address, which only this node sees.
func (e *examination) components() []finding {
	start := time.Now()
	_, err := e.client.Discovery().RESTClient().Get().AbsPath("/readyz").DoRaw(e.ctx)
	findings := []finding{result("API server", err, fmt.Sprintf("answers in %d ms", time.Since(start).Milliseconds()))}
	findings = append(findings, result("kubelet", e.healthy("http://127.0.0.1:10248/healthz"), "healthy"))
	findings = append(findings, result("kube-proxy", e.healthy("http://127.0.0.1:10256/livez"), "healthy"))
	if e.node.server {
		findings = append(findings, result("controllers", e.answers("127.0.0.1:10257"), "running"))
		findings = append(findings, result("scheduler", e.answers("127.0.0.1:10259"), "running"))
	}
	return findings
}

func (e *examination) healthy(url string) error {
	ctx, stop := context.WithTimeout(e.ctx, tryPeriod)
	defer stop()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s says %s", url, response.Status)
	}
	return nil
}

func (e *examination) answers(address string) error {
	ctx, stop := context.WithTimeout(e.ctx, tryPeriod)
	defer stop()
	connection, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	return connection.Close()
}

// certificates says when the first one ends, and names those that end soon.
func (e *examination) certificates() []finding {
	var first time.Time
	var bad []string
	for _, pattern := range []string{
		directory + "/pki/*.crt", directory + "/pki/etcd/*.crt", directory + "/*.conf", "/var/lib/kubelet/pki/*-current.pem",
	} {
		paths, _ := filepath.Glob(pattern)
		for _, path := range paths {
			ends, err := endOf(path)
			switch {
			case errors.Is(err, errNoCertificate):
				continue
			case err != nil:
				bad = append(bad, fmt.Sprintf("%s: %v", path, err))
				continue
			case time.Until(ends) < soon:
				bad = append(bad, fmt.Sprintf("%s ends on %s", path, ends.UTC().Format(time.DateOnly)))
			}
			if first.IsZero() || ends.Before(first) {
				first = ends
			}
		}
	}
	if len(bad) > 0 {
		return []finding{{What: "certificates", Detail: strings.Join(bad, "; ")}}
	}
	return []finding{{What: "certificates", OK: true, Detail: "the first ends on " + first.UTC().Format(time.DateOnly)}}
}

var errNoCertificate = errors.New("there is no certificate in it")

// endOf gives the end of a certificate in a PEM file, or in a kubeconfig that holds one.
func endOf(path string) (time.Time, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return time.Time{}, err
	}
	if strings.HasSuffix(path, ".conf") {
		config, err := clientcmd.Load(content)
		if err != nil {
			return time.Time{}, err
		}
		content = nil
		for _, user := range config.AuthInfos {
			content = append(content, user.ClientCertificateData...)
		}
	}
	for block, rest := pem.Decode(content); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return time.Time{}, err
		}
		return certificate.NotAfter, nil
	}
	return time.Time{}, errNoCertificate
}

// nodes has a line for each: Ready, and under no pressure.
func (e *examination) nodes() []finding {
	list, err := e.client.CoreV1().Nodes().List(e.ctx, metav1.ListOptions{})
	if err != nil {
		return []finding{result("nodes", err, "")}
	}
	var findings []finding
	for _, node := range list.Items {
		var trouble []string
		for _, condition := range node.Status.Conditions {
			wanted := core.ConditionFalse
			if condition.Type == core.NodeReady {
				wanted = core.ConditionTrue
			}
			if condition.Status != wanted {
				trouble = append(trouble, fmt.Sprintf("%s is %s: %s", condition.Type, condition.Status, condition.Message))
			}
		}
		detail := "Ready"
		if node.Spec.Unschedulable {
			detail += ", takes no pods"
		}
		found := finding{What: "node " + node.Name, OK: len(trouble) == 0, Detail: detail}
		if !found.OK {
			found.Detail = strings.Join(trouble, "; ")
		}
		findings = append(findings, found)
	}
	return findings
}

// network asks the cluster's name server by its Service, and each of its pods by its own address: with one on
// another node the way is that of pods between nodes.
func (e *examination) network() []finding {
	service, err := e.client.CoreV1().Services(metav1.NamespaceSystem).Get(e.ctx, "kube-dns", metav1.GetOptions{})
	if err != nil {
		return []finding{result("DNS", err, "")}
	}
	address := service.Spec.ClusterIP
	findings := []finding{result("DNS", e.resolves(address), address+" knows kubernetes.default")}
	return append(findings, e.podsOfNodes()...)
}

func (e *examination) resolves(server string) error {
	ctx, stop := context.WithTimeout(e.ctx, 2*tryPeriod)
	defer stop()
	resolver := net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, net.JoinHostPort(server, "53"))
	}}
	domain := environment("/run/thole/kubernetes.env")["CLUSTER_DOMAIN"]
	if domain == "" {
		domain = "cluster.local"
	}
	_, err := resolver.LookupHost(ctx, "kubernetes.default.svc."+domain+".")
	return err
}

// podsOfNodes has this node reach a pod of each other node that has any. Only a server may know of them. A refused
// connection is an answer: nothing listens on that port.
func (e *examination) podsOfNodes() []finding {
	if !e.node.server {
		return nil
	}
	list, err := e.client.CoreV1().Pods(metav1.NamespaceAll).List(e.ctx, metav1.ListOptions{})
	if err != nil {
		return []finding{result("pods' network", err, "")}
	}
	var findings []finding
	seen := map[string]bool{e.node.name: true}
	for _, pod := range list.Items {
		reachable := pod.Status.Phase == core.PodRunning && pod.Status.PodIP != "" && !pod.Spec.HostNetwork
		if !reachable || pod.DeletionTimestamp != nil || seen[pod.Spec.NodeName] {
			continue
		}
		seen[pod.Spec.NodeName] = true
		err := e.answers(net.JoinHostPort(pod.Status.PodIP, discardPort))
		if errors.Is(err, unix.ECONNREFUSED) {
			err = nil
		}
		findings = append(findings, result("pods of "+pod.Spec.NodeName, err, pod.Status.PodIP+" answers"))
	}
	return findings
}

// environment reads a file of NAME=VALUE lines; without it there is nothing.
func environment(path string) map[string]string {
	found := map[string]string{}
	content, err := os.ReadFile(path)
	if err != nil {
		return found
	}
	for _, line := range strings.Split(string(content), "\n") {
		if name, value, fits := strings.Cut(line, "="); fits {
			found[name] = value
		}
	}
	return found
}
