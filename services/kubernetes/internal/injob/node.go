package injob

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
)

// NodeMain is a job's task on a node: it prepares the container, runs it, and takes away what is left of it.
func NodeMain() error {
	job, err := readPlan(os.Stdin)
	if err != nil {
		return err
	}
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGTERM, syscall.SIGINT, endRequest)
	// The child is killed when the thread that started it ends (prctl(2), PR_SET_PDEATHSIG): this one lasts.
	runtime.LockOSThread()
	if err := removeLeftovers(); err != nil {
		fmt.Fprintf(os.Stderr, "what an earlier job left cannot be removed: %v\n", err)
	}
	cgroup, err := prepare(job)
	if err == nil {
		err = hold(job, asked)
	}
	return errors.Join(err, cleanUp(job, cgroup))
}

// prepare makes the folder, the configuration and the cgroup; the cgroup's path.
func prepare(p plan) (string, error) {
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return "", err
	}
	cgroup, err := containerCgroup(string(text), p)
	if err != nil {
		return "", err
	}
	for _, name := range []string{"rootfs", "upper", "work", "runc", "var/lib/thole"} {
		if err := os.MkdirAll(filepath.Join(p.folder(), name), 0o755); err != nil {
			return "", err
		}
	}
	if err := os.Chmod(p.folder(), 0o700); err != nil {
		return "", err
	}
	if err := makeCgroup(cgroup); err != nil {
		return cgroup, fmt.Errorf("make the cgroup %s: %w", cgroup, err)
	}
	m, err := thisMember(cgroup)
	if err != nil {
		return cgroup, err
	}
	ini := filepath.Join(p.folder(), "var/lib/thole/node.ini")
	if err := os.WriteFile(ini, []byte(p.nodeIni(m)), 0o600); err != nil {
		return cgroup, err
	}
	return cgroup, writeSpec(p, cgroup)
}

func thisMember(cgroup string) (member, error) {
	first, err := firstNode()
	if err != nil {
		return member{}, err
	}
	own, _, err := wayTo(first)
	if err != nil {
		return member{}, err
	}
	part, err := shareOf(cgroup)
	if err != nil {
		return member{}, fmt.Errorf("read what the job has of this node: %w", err)
	}
	return member{
		name: nodeName(), server: os.Getenv("SLURM_PROCID") == "0", endpoint: own.String(), seed: first.String(), share: part,
	}, nil
}

// firstNode is where srun was started, which is the first node of the allocation.
func firstNode() (netip.Addr, error) {
	text := os.Getenv("SLURM_LAUNCH_NODE_IPADDR")
	address, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("SLURM_LAUNCH_NODE_IPADDR is %q and no address: is this a task of srun?", text)
	}
	return address.Unmap(), nil
}

func nodeName() string {
	if name := os.Getenv("SLURMD_NODENAME"); name != "" {
		return name
	}
	name, _ := os.Hostname()
	return name
}

// hold runs the child in its namespaces until it ends; asked to, it has it end.
func hold(p plan, asked <-chan os.Signal) error {
	child := exec.Command("/proc/self/exe")
	child.Args = []string{program, "in-job-inside", withoutSecret(p)}
	child.Stdout, child.Stderr = os.Stdout, os.Stderr
	child.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS | syscall.CLONE_NEWNET,
		Pdeathsig:  syscall.SIGKILL,
	}
	start, err := child.StdinPipe()
	if err != nil {
		return err
	}
	if err := child.Start(); err != nil {
		return fmt.Errorf("make namespaces for the container: %w", err)
	}
	if err := introduce(p, child.Process.Pid); err != nil {
		_ = child.Process.Kill()
		_ = child.Wait()
		return err
	}
	if _, err := start.Write([]byte("connected\n")); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- child.Wait() }()
	select {
	case err := <-ended:
		return err
	case <-asked:
		_ = child.Process.Signal(syscall.SIGTERM)
		return <-ended
	}
}

// introduce connects the child's network namespace.
func introduce(p plan, pid int) error {
	first, err := firstNode()
	if err != nil {
		return err
	}
	_, mtu, err := wayTo(first)
	if err != nil {
		return err
	}
	return connect(p, pid, mtu)
}

// withoutSecret is for the child's command line: the secret is in the container's node.ini, which is all that needs it.
func withoutSecret(p plan) string {
	p.Secret = "-"
	text, _ := json.Marshal(p)
	return string(text)
}

// cleanUp leaves nothing of the job behind but, with --keep, its folder.
func cleanUp(p plan, cgroup string) error {
	err := disconnect(p)
	if cgroup != "" {
		err = errors.Join(err, removeCgroup(cgroup))
	}
	if p.Keep {
		return err
	}
	return errors.Join(err, os.RemoveAll(p.folder()))
}

// removeLeftovers takes away what jobs left that were killed before they could clean up.
func removeLeftovers() error {
	entries, err := os.ReadDir(filepath.Dir(plan{Job: 1}.folder()))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	for _, entry := range entries {
		number, scanned := strconv.Atoi(entry.Name())
		if old := (plan{Job: number}); scanned == nil && !old.runs() {
			err = errors.Join(err, cleanUp(old, leftCgroup(old)))
		}
	}
	return err
}

// runs says whether a process of the job is on this node.
func (p plan) runs() bool {
	found, _ := filepath.Glob(filepath.Join(p.jobCgroups(), "cgroup.events"))
	for _, events := range found {
		text, err := os.ReadFile(events)
		if err == nil && strings.Contains(string(text), "populated 1") {
			return true
		}
	}
	return false
}

// jobCgroups is a pattern for the job's own cgroup.
func (p plan) jobCgroups() string {
	return filepath.Join(cgroups, "system.slice", scope, fmt.Sprintf("job_%d", p.Job))
}

// leftCgroup finds the cgroup that a killed job left, empty where it left none.
func leftCgroup(p plan) string {
	found, _ := filepath.Glob(filepath.Join(p.jobCgroups(), "*/*", p.name()))
	if len(found) == 0 {
		return ""
	}
	return strings.TrimPrefix(found[0], cgroups)
}
