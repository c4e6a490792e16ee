// Command containerd is the container runtime, its debug client ctr, and the program that brings the images of the
// root file system into its store, in one file; the name it is called by says which.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/containerd/containerd/v2/cmd/containerd/command"
	"github.com/containerd/containerd/v2/cmd/ctr/app"
)

func main() {
	name := filepath.Base(os.Args[0])
	var err error
	switch name {
	case "ctr":
		err = app.New().Run(os.Args)
	case "images-import":
		err = importMain(os.Args[1:])
	default:
		name = "containerd"
		err = command.App().Run(os.Args)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
}
