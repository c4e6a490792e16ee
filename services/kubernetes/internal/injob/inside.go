package injob

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

const (
	runc = "/usr/sbin/runc"
	// SLURM kills half a minute after it has asked (KillWait).
	patience = 20 * time.Second
	// From a job to its tasks, all of whose processes get it; SLURM's own requests are SIGTERM.
	endRequest = syscall.SIGUSR1
)

// InsideMain is the child of a node's task: the first process of a PID namespace, in namespaces of its own for mounts
// and the network. It runs the container until this ends, or until it is asked to end it.
func InsideMain(job plan) error {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGTERM, syscall.SIGINT, endRequest)
	if err := waitForNetwork(); err != nil {
		return err
	}
	if err := configure(job); err != nil {
		return err
	}
	if err := mountRoot(job); err != nil {
		return err
	}
	return runContainer(job, asked)
}

// waitForNetwork waits for the line by which the task says that the interface is there.
func waitForNetwork() error {
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		return fmt.Errorf("wait for the network: %w", err)
	}
	return nil
}

// mountRoot puts the node's own root, with a layer for changes, where the container has it; and a /proc for runc that
// fits its PID namespace. All of it goes with the mount namespace.
func mountRoot(p plan) error {
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("keep mounts to this job: %w", err)
	}
	if err := syscall.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("mount proc: %w", err)
	}
	place := func(name string) string { return filepath.Join(p.folder(), name) }
	options := "lowerdir=/,upperdir=" + place("upper") + ",workdir=" + place("work")
	if err := syscall.Mount("overlay", place("rootfs"), "overlay", 0, options); err != nil {
		return fmt.Errorf("mount the node's root for the container at %s: %w", place("rootfs"), err)
	}
	return nil
}

func runContainer(p plan, asked <-chan os.Signal) error {
	log, err := os.Create(filepath.Join(p.folder(), "console.log"))
	if err != nil {
		return err
	}
	defer log.Close()
	command := exec.Command(runc, "--root", filepath.Join(p.folder(), "runc"), "run", "--bundle", p.folder(), p.name())
	command.Stdout, command.Stderr = log, log
	if err := command.Start(); err != nil {
		return fmt.Errorf("start the container: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	select {
	case err := <-ended:
		return fmt.Errorf("the container ended by itself: %w; its console:\n%s", orEnded(err), tail(log.Name()))
	case <-asked:
		return stopContainer(p, ended)
	}
}

func orEnded(err error) error {
	if err == nil {
		return errors.New("exit status 0")
	}
	return err
}

// stopContainer has the node in the container stop in order, and ends it when that takes too long.
func stopContainer(p plan, ended <-chan error) error {
	for _, name := range []string{"TERM", "KILL"} {
		kill := exec.Command(runc, "--root", filepath.Join(p.folder(), "runc"), "kill", p.name(), name)
		if output, err := kill.CombinedOutput(); err != nil {
			return fmt.Errorf("stop the container: %w: %s", err, output)
		}
		select {
		case <-ended:
			return nil
		case <-time.After(patience):
		}
	}
	return errors.New("the container does not end")
}

// tail gives the last lines of a log.
func tail(path string) string {
	const most = 4000
	content, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	if len(content) > most {
		content = content[len(content)-most:]
	}
	return string(content)
}
