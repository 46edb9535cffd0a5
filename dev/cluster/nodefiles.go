package main

import (
	"fmt"
	"os"
	"path/filepath"
)

// kubeletConfig turns off what a shared, small development machine trips over: eviction by a full disk, collection of
// images that cannot be pulled again, refusal of swap and of cgroup v1.
func (l layout) kubeletConfig() string {
	pki := l.pki()
	return fmt.Sprintf(`apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: %[1]s
port: %[2]d
healthzBindAddress: %[1]s
authentication:
  anonymous: {enabled: false}
  webhook: {enabled: true}
  x509: {clientCAFile: %[3]s}
authorization: {mode: Webhook}
tlsCertFile: %[4]s
tlsPrivateKeyFile: %[5]s
containerRuntimeEndpoint: unix://%[6]s
cgroupDriver: cgroupfs
cgroupRoot: /%[7]s
failCgroupV1: false
failSwapOn: false
localStorageCapacityIsolation: false
clusterDNS: [%[8]s]
clusterDomain: cluster.local
resolvConf: %[9]s
podLogsDir: %[10]s
imageGCHighThresholdPercent: 100
imageMinimumGCAge: 10000h
evictionHard: {memory.available: 100Mi, nodefs.available: 500Mi, imagefs.available: 500Mi, nodefs.inodesFree: 1%%}
syncFrequency: 10s
nodeStatusUpdateFrequency: 10s
maxPods: 200
serializeImagePulls: false
shutdownGracePeriod: 0s
`, bridgeAddress, kubeletPort, pki.cert("ca"), pki.cert("kubelet-server"), pki.key("kubelet-server"), containerdSocket(),
		cgroupName, dnsServiceIP, l.path("config", "resolv.conf"), l.path("pod-logs"))
}

func (l layout) proxyConfig() string {
	return fmt.Sprintf(`apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: iptables
hostnameOverride: %[1]s
clusterCIDR: %[2]s
clientConnection: {kubeconfig: %[3]s}
healthzBindAddress: ""
metricsBindAddress: "%[4]s:10249"
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
iptables: {syncPeriod: 30s, minSyncPeriod: 100ms}
`, nodeName, podCIDR, l.path("config", "proxy.kubeconfig"), bridgeAddress)
}

// containerdConfig keeps images outside the cluster's directory, where they outlive it, and everything else in runtimeDir.
func (l layout) containerdConfig(cniBin, sandboxImage string) string {
	return fmt.Sprintf(`version = 2
root = "%[1]s"
state = "%[2]s"
[grpc]
address = "%[3]s"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "%[4]s"
# Without CAP_SYS_RESOURCE no process may lower its score, and the sandboxes would ask for it.
restrict_oom_score_adj = true
netns_mounts_under_state_dir = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "%[5]s"
conf_dir = "%[6]s"
[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "overlayfs"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
Root = "%[7]s"
`, l.containerd(), runtimePath("containerd"), containerdSocket(), sandboxImage, cniBin, runtimePath("cni"), runtimePath("runc"))
}

func cniConfig() string {
	return fmt.Sprintf(`{
  "cniVersion": "0.4.0",
  "name": "mm-cluster",
  "plugins": [
    {
      "type": "bridge", "bridge": %q, "isGateway": true, "ipMasq": false, "hairpinMode": true,
      "ipam": {
        "type": "host-local", "dataDir": %q, "routes": [{"dst": "0.0.0.0/0"}],
        "ranges": [[{"subnet": %q, "gateway": %q}]]
      }
    }
  ]
}
`, bridgeName, runtimePath("ipam"), podCIDR, bridgeAddress)
}

// writeRuntimeFiles writes what containerd reads.
func (l layout) writeRuntimeFiles() error {
	cniBin, err := cniPlugins()
	if err != nil {
		return err
	}
	return writeAll(map[string]string{
		runtimePath("containerd.toml"):               l.containerdConfig(cniBin, podtoolImage),
		runtimePath("cni", "10-mm-cluster.conflist"): cniConfig(),
	})
}

func (l layout) writeNodeFiles() error {
	if err := l.writeRuntimeFiles(); err != nil {
		return err
	}
	for _, dir := range []string{l.volumes(), l.path("pod-logs"), l.kubelet()} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	return writeAll(map[string]string{
		l.path("config", "kubelet.yaml"):    l.kubeletConfig(),
		l.path("config", "kube-proxy.yaml"): l.proxyConfig(),
		// Pods get no name server and search domain of the machine's.
		l.path("config", "resolv.conf"): "",
	})
}

func writeAll(files map[string]string) error {
	for path, text := range files {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}
