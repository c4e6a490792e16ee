package injob

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
)

const (
	cgroups = "/sys/fs/cgroup"
	// A pattern for the cgroup above SLURM's jobs: built for several daemons on a host, as Debian's is, slurmd puts its
	// node's name in front.
	scope = "*slurmstepd.scope"
)

func isScope(step string) bool {
	matched, _ := filepath.Match(scope, step)
	return matched
}

// The controllers that a node of Kubernetes uses, where the kernel has them.
var controllers = []string{"cpu", "cpuset", "io", "memory", "pids", "hugetlb"}

// containerCgroup gives the container's cgroup beside that of the task in whose /proc/self/cgroup `text` stands. Within
// the task's it could have no controllers: the task itself is a process there (cgroup-v2.rst, "No Internal Process").
func containerCgroup(text string, p plan) (string, error) {
	for _, line := range strings.Split(text, "\n") {
		path, found := strings.CutPrefix(line, "0::")
		before, _, inJob := strings.Cut(path, "/job_")
		if found && inJob && isScope(filepath.Base(before)) {
			return filepath.Join(filepath.Dir(path), p.name()), nil
		}
	}
	return "", errors.New("this process is in no cgroup of a SLURM job: it is started by `thole kubernetes in-job` in a job")
}

// makeCgroup makes the container's cgroup and hands down every controller from the daemon's scope to it. The limits are
// those of the job's and the step's cgroups above.
func makeCgroup(path string) error {
	steps := strings.Split(strings.TrimPrefix(path, "/"), "/")
	place := cgroups
	below := false
	for _, step := range steps[:len(steps)-1] {
		place = filepath.Join(place, step)
		below = below || isScope(step)
		if !below {
			continue
		}
		if err := handDown(place); err != nil {
			return err
		}
	}
	return os.MkdirAll(filepath.Join(cgroups, path), 0o755)
}

func handDown(place string) error {
	offered, err := os.ReadFile(filepath.Join(place, "cgroup.controllers"))
	if err != nil {
		return err
	}
	for _, name := range controllers {
		for _, other := range strings.Fields(string(offered)) {
			if other != name {
				continue
			}
			err := os.WriteFile(filepath.Join(place, "cgroup.subtree_control"), []byte("+"+name), 0)
			if err != nil {
				return fmt.Errorf("hand the controller %s down: %w", name, err)
			}
		}
	}
	return nil
}

// removeCgroup takes the empty cgroup and those below it away.
func removeCgroup(path string) error {
	var folders []string
	err := filepath.WalkDir(filepath.Join(cgroups, path), func(name string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			folders = append(folders, name)
		}
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for index := len(folders) - 1; index >= 0; index-- {
		if err := os.Remove(folders[index]); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return err
}

// shareOf reads what the job's cgroup may use of the node.
func shareOf(path string) (share, error) {
	job := jobCgroup(path)
	cpus, err := os.ReadFile(filepath.Join(cgroups, job, "cpuset.cpus.effective"))
	if err != nil {
		return share{}, err
	}
	count, err := countCPUs(string(cpus))
	if err != nil {
		return share{}, err
	}
	total, err := memoryOfNode()
	if err != nil {
		return share{}, err
	}
	limit, err := os.ReadFile(filepath.Join(cgroups, job, "memory.max"))
	if err != nil {
		return share{}, err
	}
	memory := total
	if bytes, err := strconv.ParseInt(strings.TrimSpace(string(limit)), 10, 64); err == nil {
		memory = min(memory, int(bytes>>20))
	}
	return share{cpus: count, cpusOfNode: runtime.NumCPU(), memory: memory, memoryOfNode: total}, nil
}

// jobCgroup cuts a path off behind its job_N.
func jobCgroup(path string) string {
	before, rest, _ := strings.Cut(path, "/job_")
	number, _, _ := strings.Cut(rest, "/")
	return before + "/job_" + number
}

// countCPUs counts those of a list such as 0-3,8 (cpuset(7), "List format").
func countCPUs(text string) (int, error) {
	count := 0
	for _, part := range strings.Split(strings.TrimSpace(text), ",") {
		first, last, isRange := strings.Cut(part, "-")
		from, err := strconv.Atoi(first)
		if err != nil {
			return 0, fmt.Errorf("processors %q: %w", text, err)
		}
		to := from
		if isRange {
			if to, err = strconv.Atoi(last); err != nil {
				return 0, fmt.Errorf("processors %q: %w", text, err)
			}
		}
		count += to - from + 1
	}
	return count, nil
}

func memoryOfNode() (int, error) {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, err
	}
	var kibibytes int
	if _, err := fmt.Sscanf(string(text), "MemTotal: %d kB", &kibibytes); err != nil {
		return 0, fmt.Errorf("read MemTotal in /proc/meminfo: %w", err)
	}
	return kibibytes >> 10, nil
}
