package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func (l layout) running() (clusterState, error) {
	state, exists, err := l.load()
	if err != nil {
		return state, err
	}
	if !exists || !state.Ready {
		return state, exitError{3, fmt.Sprintf("no cluster is up in %s; start one with \"mm-cluster up\"", l.dir)}
	}
	return state, nil
}

func layoutFromFlags(name, text string, args []string) (layout, error) {
	flags := newFlags(name, text)
	dir := flags.String("dir", "", "the cluster's directory (default $MM_CLUSTER_DIR, then $MM_CACHE/cluster)")
	if err := parse(flags, args); err != nil {
		return layout{}, err
	}
	return newLayout(*dir)
}

func commandStatus(args []string) error {
	l, err := layoutFromFlags("status", "Usage: mm-cluster status [flags]\n\n"+
		"Says which components run and whether the node is ready. Exit code 0: up; 3: not up, or damaged.\n\n", args)
	if err != nil {
		return err
	}
	state, err := l.running()
	if err != nil {
		return err
	}
	fmt.Println("directory:  ", l.dir)
	fmt.Println("kind:       ", state.describe())
	fmt.Println("server:     ", state.Server)
	fmt.Println("kubeconfig: ", l.kubeconfig())
	fmt.Println("audit log:  ", l.audit())
	for _, name := range slices.Sorted(maps.Keys(state.Components)) {
		word := "running"
		if !l.alive(state.Components[name]) {
			word = "DEAD, see " + l.log(name)
		}
		fmt.Printf("%-24s process %-8d %s\n", name, state.Components[name], word)
	}
	if !l.healthy(state) {
		return exitError{3, "the cluster is damaged; \"mm-cluster up\" removes it and starts a new one"}
	}
	if state.ControlPlaneOnly {
		return nil
	}
	return l.printNode()
}

func (l layout) printNode() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	client, err := l.client()
	if err != nil {
		return err
	}
	node, err := client.CoreV1().Nodes().Get(ctx, nodeName, metav1.GetOptions{})
	if err != nil {
		return err
	}
	fmt.Printf("node %s: ready %t, cpu %s, memory %s, nvidia.com/gpu %s\n", node.Name, nodeReady(node) == nil,
		node.Status.Allocatable.Cpu(), node.Status.Allocatable.Memory(), quantity(node, gpuResource))
	return nil
}

func commandKubeconfig(args []string) error {
	l, err := layoutFromFlags("kubeconfig", "Usage: export KUBECONFIG=$(mm-cluster kubeconfig)\n\n"+
		"Prints the path of the kubeconfig of the administrator.\n\n", args)
	if err != nil {
		return err
	}
	if _, err := l.running(); err != nil {
		return err
	}
	fmt.Println(l.kubeconfig())
	return nil
}

func commandAuditLog(args []string) error {
	l, err := layoutFromFlags("audit-log", "Usage: tail -f $(mm-cluster audit-log)\n\n"+
		"Prints the path of the API server's audit log: one JSON object (audit.k8s.io/v1 Event) a line, written when the\n"+
		"response is complete. How much of each request it holds is a flag of \"up\": --audit-level.\n\n", args)
	if err != nil {
		return err
	}
	if _, err := l.running(); err != nil {
		return err
	}
	fmt.Println(l.audit())
	return nil
}
