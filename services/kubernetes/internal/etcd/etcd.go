// Package etcd is a program: a member of the cluster's data store on a server, and what a person does with it: upstream's etcd
// server within a program that settles by itself who founds the cluster, who joins it, and how servers come to the same
// authorities. See README.md of services/kubernetes.
package etcd

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"sort"
)

// verb is one command of the program.
type verb struct {
	summary string
	run     func(arguments []string) error
}

var errUsage = errors.New("wrong use")

func verbs() map[string]verb {
	return map[string]verb{
		"serve":       {"be this server's member (the unit etcd)", serveVerb},
		"authorities": {"get the cluster's authorities from another server, where this one does not found it", authoritiesVerb},
		"snapshot":    {"[FILE]: save the data store into a file", snapshotVerb},
		"snapshots":   {"[--json]: list the saved ones", snapshotsVerb},
		"restore":     {"FILE: begin the data store anew with what a file has", restoreVerb},
		"rejoin":      {"forget this server's copy of the data store, and take the other servers'", rejoinVerb},
		"members":     {"[--json]: the data store's members", membersVerb},
		"leave":       {"take this server's member out of the data store", leaveVerb},
	}
}

// Main runs the command that the arguments begin with, and gives the exit status.
func Main(arguments []string) int {
	all := verbs()
	if len(arguments) == 0 || all[arguments[0]].run == nil {
		fmt.Fprint(os.Stderr, usage(all))
		return 2
	}
	err := all[arguments[0]].run(arguments[1:])
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errUsage) || errors.Is(err, flag.ErrHelp):
		return 2
	}
	fmt.Fprintf(os.Stderr, "etcd %s: %v\n", arguments[0], err)
	return 1
}

func usage(all map[string]verb) string {
	var names []string
	for name := range all {
		names = append(names, name)
	}
	sort.Strings(names)
	text := "usage: etcd COMMAND\n"
	for _, name := range names {
		text += fmt.Sprintf("  %-12s %s\n", name, all[name].summary)
	}
	return text
}

// parse reads a command's flags and gives at most `most` other arguments.
func parse(set *flag.FlagSet, arguments []string, most int) ([]string, error) {
	if err := set.Parse(arguments); err != nil {
		return nil, errUsage // the flag set has said why
	}
	if set.NArg() > most {
		fmt.Fprintf(os.Stderr, "%s: there is nothing to do with %q\n", set.Name(), set.Arg(most))
		return nil, errUsage
	}
	return set.Args(), nil
}
