package injob

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	core "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientset "k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"thole/services/kubernetes/internal/atomicfile"
)

const (
	program = "/usr/bin/kubernetes-node"
	srun    = "/usr/bin/srun"
	pause   = time.Second
)

// JobMain is `thole kubernetes in-job [OPTIONS] COMMAND...`: brings the cluster up, runs the command with its kubeconfig,
// and takes the cluster down. The command's exit status, or an error of its own.
func JobMain(arguments []string) (int, error) {
	set := flag.NewFlagSet("in-job", flag.ContinueOnError)
	timeout := set.Duration("timeout", 15*time.Minute, "how long the nodes may take to be Ready")
	keep := set.Bool("keep", false, "leave the containers' folders, with their consoles, on the nodes")
	if err := set.Parse(arguments); err != nil {
		return 2, flag.ErrHelp
	}
	if set.NArg() == 0 {
		return 2, errors.New("there is no command to run: thole kubernetes in-job [--timeout 15m] COMMAND...")
	}
	job, nodes, err := thisJob()
	if err != nil {
		return 1, err
	}
	job.Keep = *keep
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	tasks, err := startTasks(job, nodes)
	if err != nil {
		return 1, err
	}
	status, err := tasks.use(ctx, job, nodes, *timeout, set.Args())
	return status, errors.Join(err, tasks.end())
}

// thisJob reads what SLURM says in the environment.
func thisJob() (plan, int, error) {
	number, err := strconv.Atoi(os.Getenv("SLURM_JOB_ID"))
	if err != nil {
		return plan{}, 0, errors.New("this is no job of SLURM: call it in a script for sbatch, or below salloc on a node of the job")
	}
	nodes, err := strconv.Atoi(os.Getenv("SLURM_JOB_NUM_NODES"))
	if err != nil {
		return plan{}, 0, errors.New("SLURM_JOB_NUM_NODES does not say how many nodes the job has")
	}
	if os.Geteuid() != 0 {
		return plan{}, 0, errors.New("nodes in containers need mounts, devices and networks of their own: submit the job as root (sbatch --uid=0)")
	}
	secret := make([]byte, 32)
	if _, err := rand.Read(secret); err != nil {
		return plan{}, 0, err
	}
	return plan{Job: number, Secret: base64.StdEncoding.EncodeToString(secret)}, nodes, nil
}

// tasks are the job's, one a node.
type tasks struct {
	command *exec.Cmd
	ended   chan error
}

// startTasks has srun start them. Each gets the plan on its standard input: nothing of it is on a command line or in an
// environment.
func startTasks(job plan, nodes int) (*tasks, error) {
	text, err := json.Marshal(job)
	if err != nil {
		return nil, err
	}
	count := strconv.Itoa(nodes)
	command := exec.Command(srun, "--nodes="+count, "--ntasks="+count, "--ntasks-per-node=1", "--overlap", "--mem=0",
		"--cpu-bind=none", "--kill-on-bad-exit=1", "--input=all", "--label", program, "in-job-node")
	command.Stdin = bytes.NewReader(append(text, '\n'))
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	// Its own group: who interrupts the job means this process, which ends the tasks when the command has ended.
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("start a task on each node: %w", err)
	}
	t := &tasks{command: command, ended: make(chan error, 1)}
	go func() { t.ended <- command.Wait() }()
	return t, nil
}

// use waits for the cluster and runs the command.
func (t *tasks) use(ctx context.Context, job plan, nodes int, timeout time.Duration, words []string) (int, error) {
	kubeconfig, err := t.wait(ctx, job, nodes, timeout)
	if err != nil {
		return 1, err
	}
	command := exec.CommandContext(ctx, words[0], words[1:]...)
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	command.WaitDelay = patience
	command.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig)
	command.Stdin, command.Stdout, command.Stderr = os.Stdin, os.Stdout, os.Stderr
	err = command.Run()
	if exit := new(exec.ExitError); errors.As(err, &exit) {
		return max(exit.ExitCode(), 1), nil
	}
	if err != nil {
		return 1, fmt.Errorf("run %s: %w", words[0], err)
	}
	return 0, nil
}

// wait gives the kubeconfig's path when all nodes are Ready.
func (t *tasks) wait(ctx context.Context, job plan, nodes int, timeout time.Duration) (string, error) {
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	said := "its API server does not answer yet"
	for {
		path, ready, err := readyNodes(job)
		if err == nil && ready == nodes {
			fmt.Printf("%d nodes are Ready\n", nodes)
			return path, nil
		}
		if err == nil {
			said = fmt.Sprintf("%d of %d nodes are Ready", ready, nodes)
		}
		select {
		case err := <-t.ended:
			t.ended <- err
			return "", fmt.Errorf("the cluster did not come up: %w", orEnded(err))
		case <-limited.Done():
			return "", fmt.Errorf("the cluster is not up after %s: %s", timeout, said)
		case <-time.After(pause):
		}
	}
}

// readyNodes asks the server, whose container is on this node.
func readyNodes(job plan) (string, int, error) {
	config, err := clientcmd.LoadFromFile(filepath.Join(job.folder(), "var/lib/kubernetes/admin.conf"))
	if err != nil {
		return "", 0, err
	}
	for _, entry := range config.Clusters {
		entry.Server = fmt.Sprintf("https://%s:6443", job.address())
	}
	path := filepath.Join(job.folder(), "kubeconfig")
	if err := atomicfile.WriteKubeconfig(path, config); err != nil {
		return "", 0, err
	}
	access, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		return "", 0, err
	}
	access.Timeout = 10 * time.Second
	client, err := clientset.NewForConfig(access)
	if err != nil {
		return "", 0, err
	}
	list, err := client.CoreV1().Nodes().List(context.Background(), metav1.ListOptions{})
	if err != nil {
		return "", 0, err
	}
	return path, countReady(list.Items), nil
}

func countReady(nodes []core.Node) int {
	count := 0
	for _, node := range nodes {
		for _, condition := range node.Status.Conditions {
			if condition.Type == core.NodeReady && condition.Status == core.ConditionTrue {
				count++
			}
		}
	}
	return count
}

// end has srun tell the tasks to end, and waits until they have cleaned up. srun passes endRequest on; asked by SIGTERM it
// has its tasks killed at once (srun(1), "Signals and Escape Sequences").
func (t *tasks) end() error {
	_ = t.command.Process.Signal(endRequest)
	select {
	case <-t.ended:
		return nil // srun says of tasks that were told to end that they were terminated
	case <-time.After(3 * patience):
		_ = t.command.Process.Kill()
		return errors.New("the containers did not end in time: SLURM kills what is left of them")
	}
}

// InsideArguments reads the plan that the task gives its child.
func InsideArguments(arguments []string) (plan, error) {
	if len(arguments) != 1 {
		return plan{}, errors.New("this is the child of a job's task, and not for people")
	}
	return readPlan(io.NopCloser(bytes.NewBufferString(arguments[0])))
}
