// Command operator is the MPI operator of Kubeflow: its own main, without its page of figures.
package main

import (
	"flag"

	"github.com/kubeflow/mpi-operator/cmd/mpi-operator/app"
	"github.com/kubeflow/mpi-operator/cmd/mpi-operator/app/options"
	"k8s.io/klog"
)

func main() {
	klog.InitFlags(nil)
	chosen := options.NewServerOption()
	chosen.AddFlags(flag.CommandLine)
	flag.Parse()
	if err := app.Run(chosen); err != nil {
		klog.Fatalf("the operator ended: %v", err)
	}
}
