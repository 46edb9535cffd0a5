package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// kubeletDir is where the kubelet keeps its device plugins and checkpoints whatever its --root-dir says.
const kubeletDir = "/var/lib/kubelet"

// claimNode notes whose the machine's one whole node is, and refuses when it is another directory's.
func (l layout) claimNode() error {
	if err := checkPrerequisites(); err != nil {
		return err
	}
	if owner := nodeOwner(); owner != "" && owner != l.dir {
		other := layout{dir: owner, cache: l.cache}
		if len(other.processes()) > 0 {
			return fmt.Errorf("the whole node of %s is up, and a machine can have one only; run \"mm-cluster down --dir %s\" first",
				owner, owner)
		}
		progress("removing what a killed cluster of %s left", owner)
		if err := other.cleanNode(); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(runtimeDir, 0o711); err != nil {
		return err
	}
	return os.WriteFile(runtimePath("owner"), []byte(l.dir), 0o644)
}

func nodeOwner() string {
	raw, err := os.ReadFile(runtimePath("owner"))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(raw))
}

func (l layout) ownsNode() bool { return nodeOwner() == l.dir }

func (l layout) startContainerd() (int, error) {
	return l.startDetached("containerd", "containerd", []string{"--config=" + runtimePath("containerd.toml"), "--log-level=warn"}, nil)
}

// connectRuntime returns a client once containerd answers.
func connectRuntime(ctx context.Context) (cri.RuntimeServiceClient, func(), error) {
	// Dialled too early, gRPC writes warnings and then waits longer and longer.
	for ctx.Err() == nil {
		if probe, err := net.Dial("unix", containerdSocket()); err == nil {
			_ = probe.Close()
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	connection, err := grpc.NewClient("unix://"+containerdSocket(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, nil, err
	}
	client := cri.NewRuntimeServiceClient(connection)
	for {
		_, err := client.Version(ctx, &cri.VersionRequest{})
		if err == nil {
			return client, func() { _ = connection.Close() }, nil
		}
		if ctx.Err() != nil {
			_ = connection.Close()
			return nil, nil, fmt.Errorf("containerd does not answer: %w", err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// removeSandboxes removes every pod that containerd knows, with its containers and its network. The store outlives a killed
// cluster, so `up` does it too.
func removeSandboxes(ctx context.Context) error {
	client, closeClient, err := connectRuntime(ctx)
	if err != nil {
		return err
	}
	defer closeClient()
	list, err := client.ListPodSandbox(ctx, &cri.ListPodSandboxRequest{})
	if err != nil {
		return err
	}
	failures := make(chan error, len(list.Items))
	for _, sandbox := range list.Items {
		go func() {
			_, err := client.StopPodSandbox(ctx, &cri.StopPodSandboxRequest{PodSandboxId: sandbox.Id})
			if err == nil {
				_, err = client.RemovePodSandbox(ctx, &cri.RemovePodSandboxRequest{PodSandboxId: sandbox.Id})
			}
			failures <- err
		}()
	}
	var failed []error
	for range list.Items {
		failed = append(failed, <-failures)
	}
	return errors.Join(failed...)
}

// prepareRuntime gives containerd the image of the pods' sandboxes and removes pods of an earlier, killed cluster.
func (s *starter) prepareRuntime(ctx context.Context) error {
	err := s.wait(ctx, "containerd", func(context.Context) error {
		connection, err := net.DialTimeout("unix", containerdSocket(), time.Second)
		if err == nil {
			_ = connection.Close()
		}
		return err
	})
	if err != nil {
		return err
	}
	if err := removeSandboxes(ctx); err != nil {
		return fmt.Errorf("remove the pods of an earlier cluster: %w", err)
	}
	return importPodtool()
}

// cleanNode removes the whole node's traces from the machine. It works from what is there: each step finds nothing when there is
// nothing, and none needs an earlier one to have recorded anything.
func (l layout) cleanNode() error {
	if os.Geteuid() != 0 {
		return errors.New("a whole node can be removed by root only; run it as root")
	}
	state, _, err := l.load()
	if err != nil {
		return err
	}
	containerd := state.Components["containerd"]
	// The kubelet and the controllers first: they would start again what is stopped here.
	others := func() []int { return l.nodeProcesses(containerd) }
	if err := killAll(others, 20*time.Second); err != nil {
		return err
	}
	if containerd != 0 && l.alive(containerd) {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		// A pod that cannot be removed in order is removed by force below.
		if err := removeSandboxes(ctx); err != nil {
			progress("pods did not stop in order (%s); killing them", firstLine(err.Error()))
		}
		cancel()
	}
	for _, step := range []func() error{
		func() error { return killAll(l.processes, 20*time.Second) },
		func() error { return killAll(cgroupProcesses, 20*time.Second) },
		func() error { return unmountUnder(runtimeDir, l.dir, l.containerd(), kubeletDir) },
		removeCgroups, removeLinks, removeChains, l.removeNodeFiles,
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// nodeProcesses lists the cluster's processes but containerd and its shims, which must live to stop pods in order.
func (l layout) nodeProcesses(containerd int) []int {
	if containerd == 0 || !l.alive(containerd) {
		return l.processes()
	}
	var others []int
	for _, pid := range l.processes() {
		name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
		if pid != containerd && !strings.HasPrefix(string(name), "containerd-shim") && !strings.HasPrefix(string(name), "runc") {
			others = append(others, pid)
		}
	}
	return others
}

func (l layout) removeNodeFiles() error {
	removeStaleShimSockets()
	removeContainerLogLinks(l.path("pod-logs"))
	removeNetworkRecords()
	plugins, err := filepath.Glob(kubeletDir + "/device-plugins/*")
	if err != nil {
		return err
	}
	for _, file := range plugins {
		if err := os.RemoveAll(file); err != nil {
			return err
		}
	}
	// These directories are others' too: they go only when nothing is in them.
	for _, dir := range []string{"/var/lib/cni/results", "/var/lib/cni", kubeletDir + "/device-plugins", kubeletDir,
		"/var/log/containers"} {
		_ = os.Remove(dir)
	}
	return os.RemoveAll(runtimeDir)
}

// removeNetworkRecords removes what the CNI library notes of each pod, whatever its configuration says, in a directory that
// every container engine uses. Our network's name is in one of a pod's two records; the pod's id in both.
func removeNetworkRecords() {
	const results, ours = "/var/lib/cni/results/", "mm-cluster-"
	records, _ := filepath.Glob(results + ours + "*-eth0")
	for _, record := range records {
		id := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(record), ours), "-eth0")
		_ = os.Remove(results + "cni-loopback-" + id + "-lo")
		_ = os.Remove(record)
	}
}

// removeStaleShimSockets removes the sockets of killed shims. Their names are hashes, so a socket is known to be stale by
// nobody listening on it.
func removeStaleShimSockets() {
	listening, err := os.ReadFile("/proc/net/unix")
	if err != nil {
		return
	}
	sockets, _ := filepath.Glob("/run/containerd/s/*")
	for _, socket := range sockets {
		if !strings.Contains(string(listening), filepath.Base(socket)) {
			_ = os.Remove(socket)
		}
	}
}

func removeContainerLogLinks(logs string) {
	links, _ := filepath.Glob("/var/log/containers/*.log")
	for _, link := range links {
		if target, err := os.Readlink(link); err == nil && strings.HasPrefix(target, logs+"/") {
			_ = os.Remove(link)
		}
	}
}
