package etcd

import (
	"slices"
	"strings"
	"testing"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
)

func server(name, address string) thisNode {
	return thisNode{name: name, address: address, servers: []string{"a", "b", "c"}}
}

func member(id uint64, name, address string) *etcdserverpb.Member {
	return &etcdserverpb.Member{ID: id, Name: name, PeerURLs: []string{"https://" + address + ":2380"}}
}

func TestDecide(t *testing.T) {
	running := []*etcdserverpb.Member{member(1, "a", "10.41.0.1"), member(2, "b", "10.41.0.2")}
	for _, one := range []struct {
		what    string
		now     situation
		wanted  step
		removed []uint64
		reason  string
	}{
		{what: "the first one founds", now: situation{node: server("a", "10.41.0.1")}, wanted: stepFound},
		{what: "others wait for it", now: situation{node: server("b", "10.41.0.2")}, wanted: stepWait, reason: "a, named first"},
		{
			what: "a founder without its disk does not found again", wanted: stepWait, reason: "on b, c",
			now: situation{node: server("a", "10.41.0.9"), holding: []string{"b", "c"}},
		},
		{what: "a new server is added", now: situation{node: server("c", "10.41.0.3"), members: running}, wanted: stepAdd},
		{
			what: "a server without its disk takes its old member out", wanted: stepAdd, removed: []uint64{2},
			now: situation{node: server("b", "10.41.0.7"), members: running, holding: []string{"a"}},
		},
		{
			what: "the founder, too, and at its old address", wanted: stepAdd, removed: []uint64{1},
			now: situation{node: server("a", "10.41.0.1"), members: running, holding: []string{"b"}},
		},
		{
			what: "one that was added and then lost its power goes on", wanted: stepStart,
			now: situation{node: server("c", "10.41.0.3"), members: append(slices.Clone(running), member(3, "", "10.41.0.3"))},
		},
		{
			what: "an address that another member has is not taken", wanted: stepWait, reason: "restart etcd",
			now: situation{node: server("c", "10.41.0.2"), members: running},
		},
	} {
		got := decide(one.now)
		if got.step != one.wanted || !slices.Equal(got.remove, one.removed) || !strings.Contains(got.reason, one.reason) {
			t.Errorf("%s: %+v", one.what, got)
		}
	}
}

func TestInitialCluster(t *testing.T) {
	members := []*etcdserverpb.Member{member(1, "a", "10.41.0.1"), member(0xab, "", "10.41.0.2"), member(3, "", "10.41.0.3")}
	got := initialCluster(server("c", "10.41.0.3"), members)
	if wanted := "a=https://10.41.0.1:2380,not-started-ab=https://10.41.0.2:2380,c=https://10.41.0.3:2380"; got != wanted {
		t.Errorf("got %s", got)
	}
}

func TestParseNode(t *testing.T) {
	const good = "NODE_NAME=b\nNODE_ADDRESS=10.41.0.2\nDATASTORE=etcd\nSERVERS=a,b,c\n"
	node, err := parseNode(good)
	if err != nil || node.founder() || node.peerURL() != "https://10.41.0.2:2380" {
		t.Errorf("%+v, %v", node, err)
	}
	for change, wanted := range map[string]string{
		"DATASTORE=sqlite": "is not etcd", "SERVERS=a,c,d": "names a, c, d", "NODE_ADDRESS=": "has no address",
	} {
		if _, err := parseNode(good + change + "\n"); err == nil || !strings.Contains(err.Error(), wanted) {
			t.Errorf("%s: %v", change, err)
		}
	}
}

func TestParseOthers(t *testing.T) {
	const text = "c - fd00::3 kubernetes-server,kubernetes-etcd -\n" +
		"a 10.41.0.1 fd00::1 kubernetes-server 10.42.0.0/24\n" +
		"a 10.41.0.4 fd00::4 - -\n" +
		"b 10.41.0.2 fd00::2 kubernetes-etcd -\n" +
		"x 10.41.0.8 fd00::8 kubernetes-etcd -\nshort\n"
	found := parseOthers(text, server("b", "10.41.0.2"))
	if len(found) != 3 || found[0].name != "a" || found[0].hasMember || found[2].clientURL() != "https://[fd00::3]:2379" {
		t.Errorf("%+v", found)
	}
	if got := withMembers(found); !slices.Equal(got, []string{"c"}) {
		t.Errorf("members on %v", got)
	}
}

func TestWhoAsks(t *testing.T) {
	const text = "a 10.41.0.1 - kubernetes-server -\nc 10.41.0.3 - kubernetes-etcd -\nc 10.41.0.9 - - -\nx 10.41.0.8 - - -\n"
	others := parseOthers(text, server("b", "10.41.0.2"))
	for _, one := range []struct {
		remote, running, name, reason string
	}{
		{remote: "10.41.0.1:4000", name: "a"},
		{remote: "10.41.0.9:4000", name: "c"},
		{remote: "10.41.0.9:4000", running: "10.41.0.3:2379", reason: "calls itself c, which runs at 10.41.0.3"},
		{remote: "10.41.0.8:4000", reason: "is not the mesh address"},
		{remote: "nonsense", reason: "missing port"},
	} {
		name, reason := whoAsks(others, one.remote, func(host string) bool { return host == one.running })
		if name != one.name || !strings.Contains(reason, one.reason) || (reason == "") != (one.reason == "") {
			t.Errorf("%s: %q, %q", one.remote, name, reason)
		}
	}
}
