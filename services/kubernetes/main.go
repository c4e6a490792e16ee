// Command kubernetes is every Kubernetes program of a node in one file: the control plane, the node's agents, kubectl,
// kubeadm, etcd, and the node's own programs that are built from kubeadm's parts. The name it is called by says which.
package main

import (
	"context"
	"fmt"
	"os"
	_ "time/tzdata" // CronJobs name time zones; the node has no zone files

	localpath "github.com/rancher/local-path-provisioner"
	genericapiserver "k8s.io/apiserver/pkg/server"
	_ "k8s.io/client-go/plugin/pkg/client/auth"
	"k8s.io/component-base/cli"
	"k8s.io/component-base/logs"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	kubectl "k8s.io/kubectl/pkg/cmd"
	kubectlutil "k8s.io/kubectl/pkg/cmd/util"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubeadm "k8s.io/kubernetes/cmd/kubeadm/app"
	kubeadmerrors "k8s.io/kubernetes/cmd/kubeadm/app/util/errors"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
	metrics "sigs.k8s.io/metrics-server/cmd/metrics-server/app"

	"thole/services/kubernetes/internal/addons"
	"thole/services/kubernetes/internal/apihealth"
	"thole/services/kubernetes/internal/certificates"
	"thole/services/kubernetes/internal/etcd"
	"thole/services/kubernetes/internal/joining"
	"thole/services/kubernetes/internal/multicall"
	"thole/services/kubernetes/internal/networkpolicy"
	"thole/services/kubernetes/internal/nodecommand"
	"thole/services/kubernetes/internal/serving"
)

func main() {
	multicall.Main(map[string]multicall.Applet{
		"kube-apiserver":          func() int { return cli.Run(apiserver.NewAPIServerCommand()) },
		"kube-controller-manager": runControllers,
		"kube-scheduler":          func() int { return cli.Run(scheduler.NewSchedulerCommand()) },
		"kubelet":                 func() int { return cli.Run(kubelet.NewKubeletCommand(context.Background())) },
		"kube-proxy":              runProxy,
		"kubectl":                 runKubectl,
		"kubeadm":                 runKubeadm,
		"kube-network-policies":   func() int { return networkpolicy.Main(os.Args[1:]) },
		"metrics-server":          runMetricsServer,
		"local-path-provisioner":  runLocalPath,
		"etcd":                    func() int { return etcd.Main(os.Args[1:]) },
		"kubernetes-certificates": func() int { return certificates.Main(os.Args[1:]) },
		"kubernetes-addons":       func() int { return addons.Main(os.Args[1:]) },
		"kubernetes-api":          func() int { return apihealth.Main(os.Args[1:]) },
		"kubernetes-join":         func() int { return joining.AgentMain(os.Args[1:]) },
		"kubernetes-token":        func() int { return joining.ServerMain(os.Args[1:]) },
		"kubernetes-node":         func() int { return nodecommand.Main(os.Args[1:]) },
	})
}

// runControllers has one controller more than upstream's, which needs no process of its own.
func runControllers() int {
	approver := serving.Approver{
		Kubeconfig:  "/etc/kubernetes/controller-manager.conf",
		MeshNodes:   "/run/thole/mesh-nodes",
		NodeName:    os.Getenv("NODE_NAME"),
		NodeAddress: os.Getenv("NODE_ADDRESS"),
	}
	go approver.Run(context.Background())
	return cli.Run(controllers.NewControllerManagerCommand())
}

// runProxy does not begin before it has what it is known by; to end and be started again would take seconds each time.
func runProxy() int {
	if err := joining.WaitForPair("/etc/kubernetes/kube-proxy.conf"); err != nil {
		fmt.Fprintf(os.Stderr, "kube-proxy: %v\n", err)
		return 1
	}
	return cli.Run(proxy.NewProxyCommand())
}

func runMetricsServer() int {
	return cli.Run(metrics.NewMetricsServerCommand(genericapiserver.SetupSignalHandler()))
}

// runLocalPath ends the process itself where it fails.
func runLocalPath() int {
	localpath.Main()
	return 0
}

// runKubectl sets the verbosity before it builds the command, which reads plugins and .kuberc and logs while it does.
func runKubectl() int {
	_, _ = logs.GlogSetter(kubectl.GetLogVerbosity(os.Args))
	if err := cli.RunNoErrOutput(kubectl.NewDefaultKubectlCommand()); err != nil {
		kubectlutil.CheckErr(err) // prints and exits with the status that fits the error
	}
	return 0
}

func runKubeadm() int {
	kubeadmerrors.HandleError(kubeadm.Run()) // prints and exits with kubeadm's own status
	return 0
}
