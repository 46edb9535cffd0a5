// Package machine reads what the machine says about itself: the pure half of removing a cluster's traces from it.
package machine

import (
	"slices"
	"strings"
)

// ForwardChain lets pods reach each other through the bridge even where another program (Docker) drops forwarded packets by
// default, and keeps them on this machine.
const ForwardChain = "MM-CLUSTER-FORWARD"

// ownChain tells our chains, which are those of kube-proxy and the kubelet and one of our own, from others'.
func ownChain(name string) bool {
	return name == ForwardChain || strings.HasPrefix(name, "KUBE-")
}

// RemovalScript turns the rules of one table (`iptables -S`) into input for `iptables-restore --noflush` that deletes
// our chains and the rules of others' chains that jump to them. It is empty when there is nothing of ours.
func RemovalScript(table, rules string) string {
	var flush, unlink, remove []string
	for line := range strings.Lines(rules) {
		line = strings.TrimSpace(line)
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		switch own := ownChain(fields[1]); {
		case fields[0] == "-N" && own:
			flush = append(flush, ":"+fields[1]+" - [0:0]")
			remove = append(remove, "-X "+fields[1])
		case fields[0] == "-A" && !own && jumpsToOwn(fields):
			unlink = append(unlink, "-D"+strings.TrimPrefix(line, "-A"))
		}
	}
	if len(flush)+len(unlink) == 0 {
		return ""
	}
	lines := slices.Concat([]string{"*" + table}, flush, unlink, remove, []string{"COMMIT", ""})
	return strings.Join(lines, "\n")
}

func jumpsToOwn(fields []string) bool {
	for i, field := range fields[:len(fields)-1] {
		if (field == "-j" || field == "-g") && ownChain(fields[i+1]) {
			return true
		}
	}
	return false
}
