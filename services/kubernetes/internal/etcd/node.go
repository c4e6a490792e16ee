package etcd

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
)

const (
	// What `init kubernetes` writes: this node's name and address, and the servers of node.ini.
	environmentFile = "/run/thole/kubernetes.env"
	// The mesh's members: lines "NAME IPV4 IPV6 ROLES PODS", "-" for what is not there.
	meshNodesFile = "/run/thole/mesh-nodes"
	// The role that a server announces in the mesh once its disk has a member.
	memberRole = "kubernetes-etcd"

	clientPort   = "2379" // etcd's own
	peerPort     = "2380"
	handoverPort = "2382"
)

// thisNode is what node.ini and the mesh say of this server.
type thisNode struct {
	name    string
	address string
	servers []string // all servers by name, the founder first
}

// other is another server that the mesh knows.
type other struct {
	name      string
	address   netip.Addr
	hasMember bool
}

func readNode() (thisNode, error) {
	content, err := os.ReadFile(environmentFile)
	if err != nil {
		return thisNode{}, fmt.Errorf("read what this node is: %w; the unit kubernetes writes it", err)
	}
	return parseNode(string(content))
}

func parseNode(text string) (thisNode, error) {
	values := map[string]string{}
	for _, line := range strings.Split(text, "\n") {
		if name, value, fits := strings.Cut(line, "="); fits {
			values[name] = value
		}
	}
	if values["DATASTORE"] != "etcd" {
		return thisNode{}, errors.New("this node's data store is not etcd: it would be with kubernetes.datastore = etcd " +
			"in the node.ini of a server")
	}
	node := thisNode{
		name: values["NODE_NAME"], address: values["NODE_ADDRESS"],
		servers: strings.FieldsFunc(values["SERVERS"], func(letter rune) bool { return letter == ',' || letter == ' ' }),
	}
	if _, err := netip.ParseAddr(node.address); err != nil {
		return thisNode{}, fmt.Errorf("%s has no address of this node (%q)", environmentFile, node.address)
	}
	if !slices.Contains(node.servers, node.name) {
		return thisNode{}, fmt.Errorf("this node is %q, and kubernetes.servers names %s", node.name,
			strings.Join(node.servers, ", "))
	}
	return node, nil
}

func (n thisNode) founder() bool { return n.servers[0] == n.name }

func (n thisNode) peerURL() string { return "https://" + net.JoinHostPort(n.address, peerPort) }

// others gives the other servers that the mesh knows, in node.ini's order. One that was made anew is there twice for some
// hours, with its address of before. Without a mesh there are none.
func (n thisNode) others() []other {
	content, err := os.ReadFile(meshNodesFile)
	if err != nil {
		return nil
	}
	return parseOthers(string(content), n)
}

func parseOthers(text string, node thisNode) []other {
	known := map[string][]other{}
	for _, line := range strings.Split(text, "\n") {
		words := strings.Fields(line)
		if len(words) < 4 || words[0] == node.name {
			continue
		}
		address, err := netip.ParseAddr(words[1])
		if err != nil {
			address, err = netip.ParseAddr(words[2])
		}
		if err != nil {
			continue
		}
		one := other{words[0], address, slices.Contains(strings.Split(words[3], ","), memberRole)}
		known[one.name] = append(known[one.name], one)
	}
	var found []other
	for _, name := range node.servers {
		found = append(found, known[name]...)
	}
	return found
}

func (o other) host(port string) string { return net.JoinHostPort(o.address.String(), port) }

func (o other) clientURL() string { return "https://" + o.host(clientPort) }

// withMembers names those whose disks have a member, whether they answer or not.
func withMembers(others []other) []string {
	var names []string
	for _, one := range others {
		if one.hasMember && !slices.Contains(names, one.name) {
			names = append(names, one.name)
		}
	}
	return names
}
