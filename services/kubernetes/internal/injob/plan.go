// Package injob is `thole kubernetes in-job`: a Kubernetes cluster inside a SLURM job. On each node of the allocation a
// container of the node's own image runs in the cgroup of the job's step, so that the job's limits hold for all of it
// and it ends with the job. The containers are a cluster of their own: their mesh's secret lives as long as the job.
//
// Three processes a node: the job's own (job.go) starts one task a node by srun (node.go), which prepares network and
// cgroup and holds a child (inside.go) that is the first process of a PID namespace. Whatever ends the task ends the
// child, and with it the kernel ends all of the container.
package injob

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strconv"
)

const (
	// Outside of what nodes use by default, for the inside of the containers.
	meshRange    = "10.240.0.0/16"
	podRange     = "10.241.0.0/16"
	serviceRange = "10.242.0.0/16"
	// RFC 2544's range for tests: what containers have towards their host.
	hostPrefix  = "198.18.0.0/15"
	hostAddress = "198.18.0.1"
	bridge      = "jobs0"

	firstPort = 20000
	ports     = 15000 // jobs of one node that could run at the same time
)

// plan is what the tasks of a job have to know; it reaches them on their standard input.
type plan struct {
	Job    int    `json:"job"`
	Secret string `json:"secret"`
	Keep   bool   `json:"keep"`
}

func readPlan(from io.Reader) (plan, error) {
	var p plan
	if err := json.NewDecoder(from).Decode(&p); err != nil {
		return p, fmt.Errorf("read what the job said to its tasks: %w", err)
	}
	if p.Job <= 0 || p.Secret == "" {
		return p, errors.New("the job said nothing to its tasks: this command is started by `thole kubernetes in-job`")
	}
	return p, nil
}

// port is WireGuard's of the job's mesh; the one behind it takes greetings.
func (p plan) port() int { return firstPort + p.Job%ports*2 }

// address is the container's on its host. The bridge has the first one.
func (p plan) address() netip.Addr {
	start := netip.MustParseAddr(hostAddress).As4()
	number := uint32(start[0])<<24 | uint32(start[1])<<16 | uint32(start[2])<<8 | uint32(start[3])
	number += 1 + uint32(p.Job%100000)
	return netip.AddrFrom4([4]byte{byte(number >> 24), byte(number >> 16), byte(number >> 8), byte(number)})
}

// Names that are the job's on each node.
func (p plan) name() string   { return "job-" + strconv.Itoa(p.Job) }
func (p plan) folder() string { return "/var/lib/thole/in-job/" + strconv.Itoa(p.Job) }
func (p plan) table() string  { return "thole-" + p.name() }
func (p plan) link() string   { return "job" + strconv.Itoa(p.Job%100000) }

// share is what the job may use of a node.
type share struct {
	cpus, cpusOfNode     int
	memory, memoryOfNode int // MiB
}

// member is one container.
type member struct {
	name     string
	server   bool
	endpoint string // the node's address as the others reach it
	seed     string // the first node's
	share    share
}

// nodeIni is the container's configuration. What the job does not have of the node, pods do not get.
func (p plan) nodeIni(m member) string {
	role := "agent"
	seeds := fmt.Sprintf("seeds = %s\n", netip.AddrPortFrom(netip.MustParseAddr(m.seed), uint16(p.port()+1)))
	if m.server {
		role, seeds = "server", ""
	}
	endpoint := netip.AddrPortFrom(netip.MustParseAddr(m.endpoint), uint16(p.port()))
	const forNode, forNodeCPU = 256, 100 // what kubernetes.reserved-memory and -cpu have by default
	return fmt.Sprintf("[node]\nname = %s\n\n"+
		"[mesh]\ncluster = %s\nsecret = %s\nrange = %s\nport = %d\nendpoints = %s\ndiscovery = no\n%s\n"+
		"[kubernetes]\nenabled = yes\nrole = %s\npod-range = %s\nservice-range = %s\n"+
		"reserved-cpu = %d\nreserved-memory = %d\ndrain-timeout = no\n",
		m.name, p.name(), p.Secret, meshRange, p.port(), endpoint, seeds, role, podRange, serviceRange,
		1000*(m.share.cpusOfNode-m.share.cpus)+forNodeCPU, m.share.memoryOfNode-m.share.memory+forNode)
}
