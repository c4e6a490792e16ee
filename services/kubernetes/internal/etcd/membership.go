package etcd

import (
	"fmt"
	"slices"
	"strings"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
)

// What a server is to do that starts without data of its own.
type step int

const (
	stepWait  step = iota // nothing can be done now; `reason` says why
	stepFound             // make a new cluster of this member alone
	stepAdd               // have the member added, after `remove` was removed, and start as a part of the cluster
	stepStart             // it was added before and never started: start as a part of the cluster
)

// situation is all that the decision depends on.
type situation struct {
	node    thisNode
	members []*etcdserverpb.Member // nil: no member answers
	holding []string               // other servers whose disks have a member, as the mesh says
}

type decision struct {
	step   step
	remove []uint64
	reason string
}

// decide says how a server without data comes to a member. It founds only where it is the one named first and the mesh
// knows of no other server that has a member: a founder whose disk was lost joins what is there, as everybody else.
func decide(now situation) decision {
	if now.members == nil {
		switch {
		case len(now.holding) > 0:
			return decision{reason: fmt.Sprintf("the data store is on %s, and does not answer from there: have most of its "+
				"servers run; a server that is lost for good is taken out of the mesh by `thole mesh forget`",
				strings.Join(now.holding, ", "))}
		case now.node.founder():
			return decision{step: stepFound}
		default:
			return decision{reason: fmt.Sprintf("%s, named first in kubernetes.servers, founds the cluster, and does not "+
				"answer yet", now.node.servers[0])}
		}
	}
	made := decision{step: stepAdd}
	for _, member := range now.members {
		here := slices.Contains(member.PeerURLs, now.node.peerURL())
		switch {
		case member.Name == now.node.name:
			// The member that this server was before its disk was lost. Its data must not come back as an empty one.
			made.remove = append(made.remove, member.ID)
		case here && member.Name == "":
			return decision{step: stepStart}
		case here:
			return decision{reason: fmt.Sprintf("the member %s has this server's address %s: `thole restart etcd` on %s "+
				"tells the others its new one", member.Name, now.node.peerURL(), member.Name)}
		}
	}
	return made
}

// initialCluster is etcd's flag of this name: NAME=URL of all members. A member that was added and has not started yet
// has no name, and gets one that means nothing: etcd goes by the addresses.
func initialCluster(node thisNode, members []*etcdserverpb.Member) string {
	var parts []string
	for _, member := range members {
		name := member.Name
		switch {
		case slices.Contains(member.PeerURLs, node.peerURL()):
			name = node.name
		case name == "":
			name = fmt.Sprintf("not-started-%x", member.ID)
		}
		for _, url := range member.PeerURLs {
			parts = append(parts, name+"="+url)
		}
	}
	return strings.Join(parts, ",")
}
