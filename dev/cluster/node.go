package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// checkPrerequisites names everything that is missing at once.
func checkPrerequisites() error {
	var missing []string
	if os.Geteuid() != 0 {
		missing = append(missing, "root: run it as root, or use --control-plane-only")
	}
	for program, pack := range map[string]string{"containerd": "containerd", "ctr": "containerd",
		"containerd-shim-runc-v2": "containerd", "runc": "runc", "iptables": "iptables"} {
		if _, err := exec.LookPath(program); err != nil {
			missing = append(missing, fmt.Sprintf("the program %s: apt-get install %s", program, pack))
		}
	}
	if _, err := cniPlugins(); err != nil {
		missing = append(missing, err.Error())
	}
	if len(missing) > 0 {
		return errors.New("the whole node needs:\n  " + strings.Join(missing, "\n  "))
	}
	return nil
}

// cniPlugins finds where the distribution keeps the CNI plugins.
func cniPlugins() (string, error) {
	for _, dir := range []string{"/usr/lib/cni", "/opt/cni/bin", "/usr/libexec/cni"} {
		complete := true
		for _, plugin := range []string{"bridge", "host-local", "loopback"} {
			if _, err := os.Stat(filepath.Join(dir, plugin)); err != nil {
				complete = false
			}
		}
		if complete {
			return dir, nil
		}
	}
	return "", errors.New("the CNI plugins bridge, host-local and loopback: apt-get install containernetworking-plugins")
}

func (s *starter) startNode(ctx context.Context, ports []int) error {
	if err := s.claimNode(); err != nil {
		return err
	}
	progress("preparing the network, cgroups and certificates")
	for _, step := range []func() error{checkAddressFree, createBridge, installForwarding, applySettings, createCgroups,
		s.writeFiles, s.writeNodeFiles} {
		if err := step(); err != nil {
			return err
		}
	}
	if err := s.record("containerd")(s.startContainerd()); err != nil {
		return err
	}
	if err := s.startStore(ctx); err != nil {
		return err
	}
	if err := s.prepareRuntime(ctx); err != nil {
		return err
	}
	progress("starting the scheduler, controllers, kubelet, kube-proxy and cluster DNS")
	if err := s.startNodeComponents(ports); err != nil {
		return err
	}
	if err := s.createBaseObjects(ctx); err != nil {
		return err
	}
	return s.waitForNode(ctx, ports[2])
}

func (s *starter) startNodeComponents(ports []int) error {
	proxyArgs := []string{"--config=" + s.path("config", "kube-proxy.yaml")}
	kubeletArgs := []string{"--config=" + s.path("config", "kubelet.yaml"), "--root-dir=" + s.kubelet(),
		"--kubeconfig=" + s.userConfig("kubelet"), "--hostname-override=" + nodeName, "--node-ip=" + bridgeAddress,
		"--cert-dir=" + s.path("config", "kubelet-serving")}
	dnsArgs := []string{fmt.Sprintf("--ready-port=%d", ports[2]), "--kubeconfig=" + s.kubeconfig()}
	addonArgs := []string{"--kubeconfig=" + s.kubeconfig(), "--volumes=" + s.volumes(), fmt.Sprintf("--gpus=%d", s.state.GPUs)}
	return errors.Join(
		s.record("kube-controller-manager")(s.startControllerManager(ports[0])),
		s.record("kube-scheduler")(s.startScheduler(ports[1])),
		s.record("kubelet")(s.startComponent("kubelet", 0, kubeletArgs...)),
		s.record("kube-proxy")(s.startComponent("kube-proxy", 0, proxyArgs...)),
		s.record("coredns")(s.startComponent("coredns", 0, dnsArgs...)),
		s.record("node-addons")(s.startComponent("node-addons", 0, addonArgs...)),
	)
}

func (s *starter) waitForNode(ctx context.Context, dnsReadyPort int) error {
	client, err := s.client()
	if err != nil {
		return err
	}
	node := func(ctx context.Context) error {
		node, err := client.CoreV1().Nodes().Get(ctx, nodeName, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if s.state.GPUs > 0 && quantity(node, gpuResource) != fmt.Sprint(s.state.GPUs) {
			return errors.New("the node does not advertise " + gpuResource + " yet")
		}
		return nodeReady(node)
	}
	if err := s.wait(ctx, "the node", node); err != nil {
		return err
	}
	if err := s.wait(ctx, "the default service account", s.defaultServiceAccount); err != nil {
		return err
	}
	return s.wait(ctx, "cluster DNS", func(ctx context.Context) error {
		return httpOK(ctx, fmt.Sprintf("http://127.0.0.1:%d/ready", dnsReadyPort))
	})
}

func (s *starter) defaultServiceAccount(ctx context.Context) error {
	client, err := s.client()
	if err != nil {
		return err
	}
	_, err = client.CoreV1().ServiceAccounts("default").Get(ctx, "default", metav1.GetOptions{})
	return err
}

func nodeReady(node *corev1.Node) error {
	for _, condition := range node.Status.Conditions {
		if condition.Type == corev1.NodeReady {
			if condition.Status == corev1.ConditionTrue {
				return nil
			}
			return fmt.Errorf("%s: %s", condition.Reason, condition.Message)
		}
	}
	return errors.New("the kubelet has not reported yet")
}

func quantity(node *corev1.Node, resource corev1.ResourceName) string {
	value := node.Status.Allocatable[resource]
	return value.String()
}

func httpOK(ctx context.Context, address string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", address, response.Status)
	}
	return nil
}
