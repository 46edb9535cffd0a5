// Command mm-cluster runs a real single-node Kubernetes on a development machine. The same binary is
// helm and kubectl when it is called by those names, so that all three are compiled once.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

const usage = `mm-cluster runs a real single-node Kubernetes on this machine, for development and tests.

Usage: mm-cluster COMMAND [flags]

  up            start the cluster in the background and wait until it is ready; prints the kubeconfig's path
  down          stop it and remove every process, mount, interface, iptables chain and cgroup of it
  status        say what runs; exit code 0 when the cluster is up, 3 when it is not
  kubeconfig    print the path of the kubeconfig
  audit-log     print the path of the API server's audit log (JSON lines)
  import-image  read a docker archive from standard input into the node's images
  images        list the node's images
  helm …        Helm; also when the program is called "helm"
  kubectl …     kubectl; also when the program is called "kubectl"

"mm-cluster COMMAND --help" explains a command.

Two kinds of cluster:
  whole node          (default) control plane, kubelet, containerd, kube-proxy, cluster DNS, volumes, a GPU to schedule
                      on. Needs root. One per machine.
  --control-plane-only etcd and the API server. Needs no root and no other program, is ready in seconds; any number at
                      once, each in its own --dir.

Directories:
  --dir, or $MM_CLUSTER_DIR   the cluster's own: certificates, kubeconfig, logs (default $MM_CACHE/cluster)
  $MM_CACHE                   what outlives clusters: binaries, images (default ~/.cache/model-maintenance)

A cluster's objects end with it: "up" after "down", or after a crash, starts with an empty API server. Images stay.
`

// exitError carries an exit code for outcomes that are answers rather than failures.
type exitError struct {
	code int
	text string
}

func (e exitError) Error() string { return e.text }

func main() {
	switch name := filepath.Base(os.Args[0]); name {
	case "helm":
		os.Exit(runHelm(os.Args[1:]))
	case "kubectl":
		runKubectl(os.Args)
		return
	}
	if len(os.Args) < 2 || os.Args[1] == "help" || os.Args[1] == "--help" || os.Args[1] == "-h" {
		fmt.Print(usage)
		return
	}
	name, args := os.Args[1], os.Args[2:]
	if component, found := strings.CutPrefix(name, componentPrefix); found {
		runComponent(component, args)
		return
	}
	var exit exitError
	switch err := runCommand(name, args); {
	case err == nil:
	case errors.As(err, &exit):
		fmt.Fprintln(os.Stderr, exit.text)
		os.Exit(exit.code)
	default:
		fmt.Fprintln(os.Stderr, "mm-cluster "+name+": "+err.Error())
		os.Exit(1)
	}
}

func runCommand(name string, args []string) error {
	switch name {
	case "up":
		return commandUp(args)
	case "down":
		return commandDown(args)
	case "status":
		return commandStatus(args)
	case "kubeconfig":
		return commandKubeconfig(args)
	case "audit-log":
		return commandAuditLog(args)
	case "import-image":
		return commandImportImage(args)
	case "images":
		return commandImages(args)
	case "helm":
		os.Exit(runHelm(args))
	case "kubectl":
		os.Args = append([]string{"kubectl"}, args...)
		runKubectl(os.Args)
		return nil
	}
	return fmt.Errorf("there is no such command; run \"mm-cluster --help\" for the list")
}
