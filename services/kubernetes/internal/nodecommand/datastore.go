package nodecommand

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	sqliteStore = "/var/lib/kine/state.db"
	etcdFolder  = "/var/lib/etcd"
	etcdProgram = "/usr/bin/etcd"
	// A data store in sqlite that grows beyond it slows every write down.
	sqliteLimit = 2 << 30
	// etcd takes no more writes at 8 GiB.
	etcdLimit = 6 << 30
)

// What an etcd server leaves behind besides what any node does.
var serverMemberships = []string{etcdFolder, etcdFolder + ".before"}

// Units of a server with etcd. Those that are done with certificates are done again when the node joins.
var serverUnits = []string{
	"kube-controller-manager", "kube-scheduler", "kube-apiserver", "etcd", "kubernetes-certificates", "kubernetes-authorities",
}

// `init kubernetes` looks at the data store's folder when this file is written, and tells the mesh.
const storeChanged = "/run/thole/kubernetes-etcd"

// hasEtcd says whether this server keeps the cluster's objects in etcd, by what `init kubernetes` has made of node.ini.
func hasEtcd() bool { return environment("/run/thole/kubernetes.env")["DATASTORE"] == "etcd" }

// datastoreVerb gives the process to the data store's own program, which has the same command.
func datastoreVerb(name string) func(*local, []string) error {
	return func(node *local, arguments []string) error {
		if !node.server && !hasEtcd() {
			return errors.New("this node is an agent and has none of the cluster's data; ask a server")
		}
		if !hasEtcd() {
			return fmt.Errorf("the cluster's data is in sqlite (%s), which this command does not know; `thole stop "+
				"kube-apiserver kine`, then a copy of that folder is a copy of the cluster's data", sqliteStore)
		}
		return unix.Exec(etcdProgram, append([]string{etcdProgram, name}, arguments...), os.Environ())
	}
}

// store has a line for a data store in sqlite, and one for each member of etcd.
func store() []finding {
	if hasEtcd() {
		return members()
	}
	info, err := os.Stat(sqliteStore)
	if errors.Is(err, fs.ErrNotExist) {
		return []finding{{What: "data store", Detail: sqliteStore + " is not there"}}
	}
	if err != nil {
		return []finding{result("data store", err, "")}
	}
	return []finding{sized("data store", info.Size(), sqliteLimit, fmt.Sprintf("%d KiB", info.Size()>>10))}
}

// sized is a part of the data store that must not grow too large.
func sized(what string, size, limit int64, detail string) finding {
	if size > limit {
		return result(what, fmt.Errorf("%d MiB are more than the %d that it works well with", size>>20, limit>>20), "")
	}
	return finding{What: what, OK: true, Detail: detail}
}

// member is what etcd's program says of one; see ../../etcd/members.go.
type member struct {
	Name  string `json:"name"`
	Role  string `json:"role"`
	Size  int64  `json:"size"`
	Error string `json:"error"`
}

func members() []finding {
	var said strings.Builder
	command := exec.Command(etcdProgram, "members", "--json")
	command.Stderr = &said
	text, err := command.Output()
	if err != nil {
		return []finding{result("data store", fmt.Errorf("%s", strings.TrimSpace(said.String())), "")}
	}
	return membersFrom(text)
}

func membersFrom(text []byte) []finding {
	var list []member
	if err := json.Unmarshal(text, &list); err != nil {
		return []finding{result("data store", fmt.Errorf("its members' states cannot be read: %w", err), "")}
	}
	voting := 0
	var findings []finding
	for _, one := range list {
		what := "data store on " + one.Name
		if one.Name == "" {
			what = "data store, a new member"
		}
		if one.Role != "learner" {
			voting++
		}
		if one.Error != "" {
			findings = append(findings, finding{What: what, Detail: one.Error})
			continue
		}
		findings = append(findings, sized(what, one.Size, etcdLimit, fmt.Sprintf("%s, %d KiB", one.Role, one.Size>>10)))
	}
	summary := fmt.Sprintf("etcd, %d of %d members vote; %d may be lost", voting, len(list), (voting-1)/2)
	return append([]finding{{What: "data store", OK: voting > 0, Detail: summary}}, findings...)
}

// leaveDatastore takes this server's member out, so that the others do not count it any more.
func leaveDatastore() error {
	done, err := exec.Command(etcdProgram, "leave").CombinedOutput()
	if err != nil {
		return errors.New(strings.TrimSpace(string(done)))
	}
	return nil
}
