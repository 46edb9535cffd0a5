package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/vishvananda/netlink"

	"modelmaintenance.dev/dev/cluster/internal/machine"
)

var tables = []string{"filter", "nat", "mangle"}

// createBridge makes the pods' bridge before any pod needs it: the API server listens on its address.
func createBridge() error {
	link := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: bridgeName}}
	if err := netlink.LinkAdd(link); err != nil {
		return fmt.Errorf("create the bridge %s: %w", bridgeName, err)
	}
	address, err := netlink.ParseAddr(bridgeAddress + "/24")
	if err != nil {
		return err
	}
	if err := netlink.AddrAdd(link, address); err != nil {
		return fmt.Errorf("give %s the address %s: %w", bridgeName, bridgeAddress, err)
	}
	return netlink.LinkSetUp(link)
}

// checkAddressFree refuses to shadow a network that the machine uses already.
func checkAddressFree() error {
	_, wanted, err := net.ParseCIDR(podCIDR)
	if err != nil {
		return err
	}
	routes, err := netlink.RouteList(nil, netlink.FAMILY_V4)
	if err != nil {
		return err
	}
	for _, route := range routes {
		if route.Dst != nil && route.Dst.IP.IsPrivate() && wanted.Contains(route.Dst.IP) {
			return fmt.Errorf("this machine has a route to %s, inside the pods' network %s; remove that network first",
				route.Dst, podCIDR)
		}
	}
	return nil
}

// removeLinks deletes the bridge and the pods' interfaces that hang on it.
func removeLinks() error {
	bridge, err := netlink.LinkByName(bridgeName)
	var missing netlink.LinkNotFoundError
	if errors.As(err, &missing) {
		return nil
	}
	if err != nil {
		return err
	}
	links, err := netlink.LinkList()
	if err != nil {
		return err
	}
	for _, link := range links {
		if link.Attrs().MasterIndex == bridge.Attrs().Index {
			// Its other end goes with the pod's namespace, and may have gone already.
			_ = netlink.LinkDel(link)
		}
	}
	return netlink.LinkDel(bridge)
}

func installForwarding() error {
	rules := [][]string{
		{"-N", machine.ForwardChain},
		{"-A", machine.ForwardChain, "-i", bridgeName, "-o", bridgeName, "-j", "ACCEPT"},
		{"-A", machine.ForwardChain, "-i", bridgeName, "-j", "REJECT"},
		{"-A", machine.ForwardChain, "-o", bridgeName, "-j", "ACCEPT"},
		{"-I", "FORWARD", "-j", machine.ForwardChain},
	}
	for _, rule := range rules {
		if out, err := exec.Command("iptables", append([]string{"-w"}, rule...)...).CombinedOutput(); err != nil {
			return fmt.Errorf("iptables %s: %w: %s", strings.Join(rule, " "), err, bytes.TrimSpace(out))
		}
	}
	return nil
}

func removeChains() error {
	for _, family := range []string{"iptables", "ip6tables"} {
		if _, err := exec.LookPath(family); err != nil {
			continue
		}
		for _, table := range tables {
			rules, err := exec.Command(family, "-w", "-t", table, "-S").Output()
			if err != nil {
				continue // The kernel has no such table, so there is nothing of ours in it.
			}
			script := machine.RemovalScript(table, string(rules))
			if script == "" {
				continue
			}
			command := exec.Command(family+"-restore", "-w", "--noflush")
			command.Stdin = strings.NewReader(script)
			if out, err := command.CombinedOutput(); err != nil {
				return fmt.Errorf("remove our chains from %s %s: %w: %s", family, table, err, bytes.TrimSpace(out))
			}
		}
	}
	return nil
}

// wantedSettings are the kernel's switches without which pods do not reach Services. Docker sets them too, so they are left on.
var wantedSettings = map[string]string{
	"net/ipv4/ip_forward":                "1",
	"net/bridge/bridge-nf-call-iptables": "1",
}

func applySettings() error {
	for name, value := range wantedSettings {
		path := filepath.Join("/proc/sys", name)
		if err := os.WriteFile(path, []byte(value), 0o644); err != nil {
			return fmt.Errorf("set %s: %w; a kernel module may be missing (br_netfilter)", path, err)
		}
	}
	return nil
}
