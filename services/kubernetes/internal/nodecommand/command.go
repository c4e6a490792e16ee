// Package nodecommand is what `thole kubernetes` does: this node and its cluster, from the node itself.
package nodecommand

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"time"

	clientset "k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/kubernetes/cmd/kubeadm/app/constants"
)

const (
	directory = "/var/lib/kubernetes"
	// How long a question to the API server may take before it counts as away.
	patience = 10 * time.Second
)

// verb is one command: its arguments for people, and what runs it with its flags parsed.
type verb struct {
	usage, summary string
	run            func(node *local, arguments []string) error
}

var verbs map[string]verb

func init() {
	verbs = map[string]verb{
		"drain":      {"[--timeout 5m]", "no new pods here, and those that are here move", drainVerb},
		"join":       {"", "take pods again after drain; come back after leave", joinVerb},
		"leave":      {"[--timeout 5m]", "drain, take the node out of its cluster, and forget it", leaveVerb},
		"kubeconfig": {"[--read-only] [--server HOST]", "print a kubeconfig (on a server)", kubeconfigVerb},
		"health":     {"[--json]", "the cluster as a table; exit status 0 or 1", healthVerb},
		"in-job":     {"[--timeout 15m] [--keep] COMMAND...", "a cluster inside this SLURM job, for as long as the command runs", inJobVerb},
		"snapshot":   {"[FILE]", "save the cluster's data store (on a server with etcd)", datastoreVerb("snapshot")},
		"snapshots":  {"[--json]", "list what was saved on this server", datastoreVerb("snapshots")},
		"restore":    {"FILE", "begin the data store anew with what was saved", datastoreVerb("restore")},
		"rejoin":     {"", "after a restore on another server: take its data", datastoreVerb("rejoin")},
		// The job's tasks, and their children.
		"in-job-node":   {"", "", inJobNodeVerb},
		"in-job-inside": {"", "", inJobInsideVerb},
		// For `thole boot-good`, not for people.
		"ready": {"", "", readyVerb},
		// For the unit kubernetes-shutdown, not for people.
		"returned":  {"", "", returnedVerb},
		"shut-down": {"--timeout TIME", "", shutDownVerb},
	}
}

// local is the node that the command runs on.
type local struct {
	name   string
	server bool
}

// Main is the program kubernetes-node.
func Main(arguments []string) int {
	if len(arguments) == 0 || verbs[arguments[0]].run == nil {
		fmt.Fprint(os.Stderr, usage())
		return 2
	}
	node, err := thisNode()
	if err == nil {
		err = verbs[arguments[0]].run(node, arguments[1:])
	}
	if errors.Is(err, flag.ErrHelp) || errors.Is(err, errUsage) {
		return 2
	}
	if errors.Is(err, errUnhealthy) {
		return 1
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "thole kubernetes %s: %v\n", arguments[0], err)
		return 1
	}
	return 0
}

func usage() string {
	text := "usage: thole kubernetes COMMAND\n"
	var names []string
	for name, one := range verbs {
		if one.summary != "" {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	for _, name := range names {
		text += fmt.Sprintf("  %-42s %s\n", name+" "+verbs[name].usage, verbs[name].summary)
	}
	return text
}

var errUsage = errors.New("wrong use")

// parse reads a verb's flags; there are no other arguments.
func parse(set *flag.FlagSet, arguments []string) error {
	if err := set.Parse(arguments); err != nil {
		return errUsage // the flag set has said why
	}
	if set.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "%s: there is nothing to do with %q\n", set.Name(), set.Arg(0))
		return errUsage
	}
	return nil
}

func thisNode() (*local, error) {
	name, err := os.Hostname()
	if err != nil {
		return nil, err
	}
	_, err = os.Stat(filepath.Join(directory, constants.AdminKubeConfigFileName))
	return &local{name: name, server: err == nil}, nil
}

// client talks with the administrator's rights on a server, and with the node's own on an agent.
func (n *local) client() (clientset.Interface, error) {
	name := constants.KubeletKubeConfigFileName
	if n.server {
		name = constants.AdminKubeConfigFileName
	}
	path := filepath.Join(directory, name)
	config, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		return nil, fmt.Errorf("this node is in no cluster: %w", err)
	}
	config.Timeout = patience
	return clientset.NewForConfig(config)
}

func limited(timeout time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), timeout)
}
