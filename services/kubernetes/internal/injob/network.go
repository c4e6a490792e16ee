package injob

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"syscall"

	"github.com/vishvananda/netlink"
)

// connect gives the namespace of process `pid` an interface eth0 on the node's bridge for jobs. Its packets carry what
// the node's way to the other nodes takes.
func connect(p plan, pid, mtu int) error {
	hub, err := makeBridge()
	if err != nil {
		return fmt.Errorf("make the bridge %s: %w", bridge, err)
	}
	attributes := netlink.NewLinkAttrs()
	attributes.Name = p.link()
	attributes.MTU = mtu
	attributes.MasterIndex = hub.Attrs().Index
	pair := &netlink.Veth{LinkAttrs: attributes, PeerName: "eth0", PeerNamespace: netlink.NsPid(pid)}
	if err := netlink.LinkAdd(pair); err != nil {
		return fmt.Errorf("make the interface %s: %w", p.link(), err)
	}
	if err := netlink.LinkSetUp(pair); err != nil {
		return fmt.Errorf("bring %s up: %w", p.link(), err)
	}
	return translate(p)
}

func makeBridge() (netlink.Link, error) {
	attributes := netlink.NewLinkAttrs()
	attributes.Name = bridge
	made := &netlink.Bridge{LinkAttrs: attributes}
	if err := netlink.LinkAdd(made); err != nil && !exists(err) {
		return nil, err
	}
	found, err := netlink.LinkByName(bridge)
	if err != nil {
		return nil, err
	}
	own := &netlink.Addr{IPNet: onPrefix(netip.MustParseAddr(hostAddress))}
	if err := netlink.AddrAdd(found, own); err != nil && !exists(err) {
		return nil, err
	}
	return found, netlink.LinkSetUp(found)
}

// configure is done within the namespace.
func configure(p plan) error {
	for _, name := range []string{"lo", "eth0"} {
		link, err := netlink.LinkByName(name)
		if err != nil {
			return fmt.Errorf("find the interface %s: %w", name, err)
		}
		if name == "eth0" {
			if err := netlink.AddrAdd(link, &netlink.Addr{IPNet: onPrefix(p.address())}); err != nil {
				return fmt.Errorf("give %s its address: %w", name, err)
			}
		}
		if err := netlink.LinkSetUp(link); err != nil {
			return fmt.Errorf("bring %s up: %w", name, err)
		}
	}
	way := &netlink.Route{Gw: net.ParseIP(hostAddress)}
	if err := netlink.RouteAdd(way); err != nil {
		return fmt.Errorf("route by %s: %w", hostAddress, err)
	}
	return nil
}

// exists: another job made it.
func exists(err error) bool { return errors.Is(err, syscall.EEXIST) }

func onPrefix(address netip.Addr) *net.IPNet {
	length := netip.MustParsePrefix(hostPrefix).Bits()
	return &net.IPNet{IP: address.AsSlice(), Mask: net.CIDRMask(length, 32)}
}

// translate passes the mesh's two ports of the node on to the container, and lets it out under the node's address.
func translate(p plan) error {
	return nft(fmt.Sprintf("table inet %[1]s {\n}\ndelete table inet %[1]s\ntable inet %[1]s {\n"+
		"  chain in {\n    type nat hook prerouting priority dstnat;\n"+
		"    fib daddr type local udp dport %[2]d-%[3]d dnat ip to %[4]s\n  }\n"+
		"  chain out {\n    type nat hook postrouting priority srcnat;\n"+
		"    ip saddr %[4]s oifname != \"%[5]s\" masquerade\n  }\n}\n",
		p.table(), p.port(), p.port()+1, p.address(), bridge))
}

// disconnect takes away what does not go with the namespace: the rules, and the bridge behind the last job.
func disconnect(p plan) error {
	err := nft(fmt.Sprintf("table inet %[1]s {\n}\ndelete table inet %[1]s\n", p.table()))
	if link, found := netlink.LinkByName(p.link()); found == nil {
		err = errors.Join(err, netlink.LinkDel(link))
	}
	return errors.Join(err, removeEmptyBridge())
}

func removeEmptyBridge() error {
	hub, err := netlink.LinkByName(bridge)
	if err != nil {
		return nil // it is not there
	}
	links, err := netlink.LinkList()
	if err != nil {
		return err
	}
	for _, link := range links {
		if link.Attrs().MasterIndex == hub.Attrs().Index {
			return nil
		}
	}
	return netlink.LinkDel(hub)
}

func nft(rules string) error {
	command := exec.Command("/usr/sbin/nft", "-f", "-")
	command.Stdin = bytes.NewBufferString(rules)
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("nft: %w: %s", err, bytes.TrimSpace(output))
	}
	return nil
}

// wayTo gives this node's own address, and the MTU, on its way to another; to itself those of the interface with it.
func wayTo(other netip.Addr) (netip.Addr, int, error) {
	routes, err := netlink.RouteGet(other.AsSlice())
	if err != nil || len(routes) == 0 {
		return netip.Addr{}, 0, fmt.Errorf("find the way to %s: %w", other, err)
	}
	own, valid := netip.AddrFromSlice(routes[0].Src)
	if !valid {
		return netip.Addr{}, 0, fmt.Errorf("the way to %s has no address of this node", other)
	}
	link, err := linkWith(own.Unmap(), routes[0].LinkIndex)
	if err != nil {
		return netip.Addr{}, 0, err
	}
	return own.Unmap(), link.Attrs().MTU, nil
}

func linkWith(address netip.Addr, otherwise int) (netlink.Link, error) {
	links, err := netlink.LinkList()
	if err != nil {
		return nil, err
	}
	for _, link := range links {
		addresses, err := netlink.AddrList(link, netlink.FAMILY_V4)
		if err != nil {
			return nil, err
		}
		for _, one := range addresses {
			if found, valid := netip.AddrFromSlice(one.IP); valid && found.Unmap() == address {
				return link, nil
			}
		}
	}
	return netlink.LinkByIndex(otherwise)
}
