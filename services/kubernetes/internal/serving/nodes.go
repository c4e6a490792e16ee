// Package serving approves the certificates that kubelets show to the API server, each for the names of its own node
// and no others. Kubernetes itself leaves that to somebody who knows which names and addresses are whose: here the mesh
// does.
package serving

import (
	"net/netip"
	"os"
	"strings"
)

// names of nodes with their addresses.
type nodes map[string][]netip.Addr

// parseNodes reads what the mesh says of its members: lines "NAME IPV4 IPV6 ...", "-" for an address that is not there.
func parseNodes(text string) nodes {
	found := nodes{}
	for _, line := range strings.Split(text, "\n") {
		words := strings.Fields(line)
		if len(words) < 3 {
			continue
		}
		for _, word := range words[1:3] {
			if address, err := netip.ParseAddr(word); err == nil {
				found[words[0]] = append(found[words[0]], address)
			}
		}
	}
	return found
}

// readNodes gives the mesh's members, and this node with its own address, which is all of them where there is no mesh.
func readNodes(path, ownName, ownAddress string) nodes {
	found := nodes{}
	if content, err := os.ReadFile(path); err == nil {
		found = parseNodes(string(content))
	}
	for _, word := range strings.Split(ownAddress, ",") {
		if address, err := netip.ParseAddr(word); err == nil {
			found[ownName] = append(found[ownName], address)
		}
	}
	return found
}

func (n nodes) has(name string, address netip.Addr) bool {
	for _, own := range n[name] {
		if own == address.Unmap() {
			return true
		}
	}
	return false
}
