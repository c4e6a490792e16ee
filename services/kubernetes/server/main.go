// Command kube-server is the control plane in one file: API server, controllers, scheduler, and kubeadm with the two
// first-boot programs that are built from kubeadm's phases.
package main

import (
	"os"
	_ "time/tzdata" // CronJobs name time zones; the node has no zone files

	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubeadm "k8s.io/kubernetes/cmd/kubeadm/app"
	kubeadmerrors "k8s.io/kubernetes/cmd/kubeadm/app/util/errors"

	"thole/services/kubernetes/internal/addons"
	"thole/services/kubernetes/internal/certificates"
	"thole/services/kubernetes/internal/multicall"
)

func main() {
	multicall.Main(map[string]multicall.Applet{
		"kube-apiserver":          func() int { return cli.Run(apiserver.NewAPIServerCommand()) },
		"kube-controller-manager": func() int { return cli.Run(controllers.NewControllerManagerCommand()) },
		"kube-scheduler":          func() int { return cli.Run(scheduler.NewSchedulerCommand()) },
		"kubeadm":                 runKubeadm,
		"kubernetes-certificates": func() int { return certificates.Main(os.Args[1:]) },
		"kubernetes-addons":       func() int { return addons.Main(os.Args[1:]) },
	})
}

func runKubeadm() int {
	kubeadmerrors.HandleError(kubeadm.Run()) // prints and exits with kubeadm's own status
	return 0
}
