package injob

import (
	"strings"
	"testing"
)

var (
	job   = plan{Job: 7, Secret: "c2VjcmV0"}
	whole = share{cpus: 2, cpusOfNode: 8, memory: 1024, memoryOfNode: 4096}
)

func TestAddressesAndPortsOfJobsDiffer(t *testing.T) {
	other := plan{Job: 8, Secret: "c2VjcmV0"}
	if job.address() == other.address() || job.port() == other.port() || job.link() == other.link() {
		t.Error("two jobs share an address, a port or an interface")
	}
	if got := job.address().String(); got != "198.18.0.9" {
		t.Errorf("address %s", got)
	}
	if len(plan{Job: 99999999}.link()) > 15 {
		t.Error("the interface's name is too long for the kernel")
	}
}

func TestServerHasNoSeedsAndAgentsGreetTheFirstNode(t *testing.T) {
	server := job.nodeIni(member{name: "n1", server: true, endpoint: "10.41.0.1", seed: "10.41.0.1", share: whole})
	agent := job.nodeIni(member{name: "n2", endpoint: "10.41.0.2", seed: "10.41.0.1", share: whole})
	if strings.Contains(server, "seeds") || !strings.Contains(server, "role = server\n") {
		t.Error(server)
	}
	for _, line := range []string{"seeds = 10.41.0.1:20015\n", "endpoints = 10.41.0.2:20014\n", "role = agent\n"} {
		if !strings.Contains(agent, line) {
			t.Errorf("no %q in\n%s", line, agent)
		}
	}
}

func TestPodsGetWhatTheJobHas(t *testing.T) {
	text := job.nodeIni(member{name: "n1", server: true, endpoint: "10.41.0.1", seed: "10.41.0.1", share: whole})
	for _, line := range []string{"reserved-cpu = 6100\n", "reserved-memory = 3328\n"} {
		if !strings.Contains(text, line) {
			t.Errorf("no %q in\n%s", line, text)
		}
	}
}

func TestAPlanThatIsNoneIsRefused(t *testing.T) {
	for _, text := range []string{"", "{}", "{\"job\": 3}", "hello"} {
		if _, err := readPlan(strings.NewReader(text)); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}

func TestPlaceOfTheContainersCgroup(t *testing.T) {
	for _, scope := range []string{"slurmstepd.scope", "node1_slurmstepd.scope"} {
		got, err := containerCgroup("0::/system.slice/"+scope+"/job_7/step_0/user/task_0\n", job)
		if err != nil || got != "/system.slice/"+scope+"/job_7/step_0/user/job-7" {
			t.Errorf("%s, %v", got, err)
		}
	}
	for _, text := range []string{"0::/init.scope\n", "", "1:cpu:/x\n0::/slurm\n", "0::/a.scope/job_7/step_0\n"} {
		if _, err := containerCgroup(text, job); err == nil {
			t.Errorf("%q was taken for a job's task", text)
		}
	}
}

func TestProcessorsOfAList(t *testing.T) {
	for text, wanted := range map[string]int{"0": 1, "0-3": 4, "0,2-3,7\n": 4} {
		if got, err := countCPUs(text); err != nil || got != wanted {
			t.Errorf("%q: %d, %v", text, got, err)
		}
	}
	if _, err := countCPUs("a-b"); err == nil {
		t.Error("a-b was taken")
	}
}
