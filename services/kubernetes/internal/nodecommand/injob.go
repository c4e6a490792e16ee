package nodecommand

import (
	"os"

	"thole/services/kubernetes/internal/injob"
)

// inJobVerb ends with the exit status of the command that ran in the job's cluster.
func inJobVerb(_ *local, arguments []string) error {
	status, err := injob.JobMain(arguments)
	if err == nil {
		os.Exit(status)
	}
	return err
}

func inJobNodeVerb(*local, []string) error { return injob.NodeMain() }

func inJobInsideVerb(_ *local, arguments []string) error {
	job, err := injob.InsideArguments(arguments)
	if err != nil {
		return err
	}
	return injob.InsideMain(job)
}
