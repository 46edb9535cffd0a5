package machine

import (
	"slices"
	"strings"
	"testing"
)

const natRules = `-P PREROUTING ACCEPT
-P POSTROUTING ACCEPT
-N DOCKER
-N KUBE-SERVICES
-N KUBE-SVC-ABC
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
-A KUBE-SERVICES -d 10.96.0.1/32 -p tcp -j KUBE-SVC-ABC
-A DOCKER -i docker0 -j RETURN
`

func TestRemovalScriptTakesOurChainsAndTheJumpsToThemAndNothingElse(t *testing.T) {
	want := strings.Join([]string{
		"*nat",
		":KUBE-SERVICES - [0:0]",
		":KUBE-SVC-ABC - [0:0]",
		`-D PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES`,
		"-X KUBE-SERVICES",
		"-X KUBE-SVC-ABC",
		"COMMIT",
		"",
	}, "\n")
	if got := RemovalScript("nat", natRules); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestRemovalScriptOfAForeignTableIsEmpty(t *testing.T) {
	rules := "-P FORWARD DROP\n-N DOCKER\n-A FORWARD -j DOCKER\n-A FORWARD -m comment --comment \"-j KUBE-X is not a jump\" -j ACCEPT\n"
	if got := RemovalScript("filter", rules); got != "" {
		t.Errorf("got %q, want nothing", got)
	}
}

func TestMountsUnderListsTheLastMountFirstAndKnowsPathBoundaries(t *testing.T) {
	mounts := strings.Join([]string{
		"tmpfs /run/mm-cluster tmpfs rw 0 0",
		"overlay /run/mm-cluster/task/rootfs overlay rw 0 0",
		"tmpfs /run/mm-cluster-of-another tmpfs rw 0 0",
		`tmpfs /home/a\040b/cluster/kubelet tmpfs rw 0 0`,
		"proc /proc proc rw 0 0",
	}, "\n")
	want := []string{"/home/a b/cluster/kubelet", "/run/mm-cluster/task/rootfs", "/run/mm-cluster"}
	if got := MountsUnder(mounts, "/run/mm-cluster", "/home/a b/cluster"); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
