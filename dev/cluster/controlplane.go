package main

import (
	"fmt"
	"os"
	"path/filepath"
)

// controlPlane holds the choices that etcd, the API server and its controllers are started with.
type controlPlane struct {
	layout
	bind       string
	apiPort    int
	etcdPort   int
	etcdPeer   int
	auditLevel string
	wholeNode  bool
	ownerPID   int
}

func (c controlPlane) server() string { return fmt.Sprintf("https://%s:%d", c.bind, c.apiPort) }

func auditPolicy(level string) string {
	return `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: None
  nonResourceURLs: ["/readyz*", "/livez*", "/healthz*"]
- level: ` + level + "\n"
}

// writeFiles issues the certificates and writes the files that the control plane reads.
func (c controlPlane) writeFiles() error {
	if err := c.pki().issue(); err != nil {
		return fmt.Errorf("issue certificates: %w", err)
	}
	policy := c.path("config", "audit-policy.yaml")
	if err := os.MkdirAll(filepath.Dir(policy), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(policy, []byte(auditPolicy(c.auditLevel)), 0o644); err != nil {
		return err
	}
	for _, user := range []string{"admin", "controller-manager", "scheduler", "proxy", "kubelet"} {
		config, err := c.pki().kubeconfig(c.server(), user)
		if err != nil {
			return err
		}
		if err := os.WriteFile(c.userConfig(user), config, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// userConfig is the kubeconfig of a component, or of the administrator, who is the person at the machine.
func (c controlPlane) userConfig(user string) string {
	if user == "admin" {
		return c.kubeconfig()
	}
	return c.path("config", user+".kubeconfig")
}

func (c controlPlane) startEtcd() (int, error) {
	return c.startComponent("etcd", c.ownerPID,
		"--data-dir="+c.path("etcd"), "--pki-dir="+string(c.pki()),
		fmt.Sprintf("--client-port=%d", c.etcdPort), fmt.Sprintf("--peer-port=%d", c.etcdPeer))
}

func (c controlPlane) startAPIServer() (int, error) {
	pki := c.pki()
	args := []string{
		fmt.Sprintf("--etcd-servers=https://127.0.0.1:%d", c.etcdPort),
		"--etcd-cafile=" + pki.cert("ca"), "--etcd-certfile=" + pki.cert("etcd"), "--etcd-keyfile=" + pki.key("etcd"),
		"--bind-address=" + c.bind, fmt.Sprintf("--secure-port=%d", c.apiPort),
		"--advertise-address=" + bridgeAddress,
		"--tls-cert-file=" + pki.cert("apiserver"), "--tls-private-key-file=" + pki.key("apiserver"),
		"--client-ca-file=" + pki.cert("ca"),
		"--service-cluster-ip-range=" + serviceCIDR,
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file=" + pki.key("service-accounts"),
		"--service-account-signing-key-file=" + pki.key("service-accounts"),
		"--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction",
		"--allow-privileged=true",
		"--kubelet-client-certificate=" + pki.cert("apiserver-kubelet"),
		"--kubelet-client-key=" + pki.key("apiserver-kubelet"),
		"--kubelet-certificate-authority=" + pki.cert("ca"),
		// Without it logs and exec look the node's name up in the machine's DNS, which does not know it.
		"--kubelet-preferred-address-types=InternalIP",
		"--audit-log-path=" + c.audit(), "--audit-policy-file=" + c.path("config", "audit-policy.yaml"),
		"--audit-log-maxsize=2000", "--audit-log-maxbackup=1",
		"--profiling=false",
	}
	if !c.wholeNode {
		// No pod reaches this API server, so the "kubernetes" Service needs no address behind it.
		args = append(args, "--endpoint-reconciler-type=none")
	}
	return c.startComponent("kube-apiserver", c.ownerPID, args...)
}

func (c controlPlane) startControllerManager(port int) (int, error) {
	pki := c.pki()
	return c.startComponent("kube-controller-manager", c.ownerPID,
		"--kubeconfig="+c.userConfig("controller-manager"),
		"--bind-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", port),
		"--cert-dir="+c.path("config", "controller-manager-serving"),
		"--leader-elect=false", "--use-service-account-credentials=true",
		"--root-ca-file="+pki.cert("ca"), "--service-account-private-key-file="+pki.key("service-accounts"),
		"--cluster-signing-cert-file="+pki.cert("ca"), "--cluster-signing-key-file="+pki.key("ca"),
		// Hundreds of Jobs at once are a benchmark here, and not a reason to slow down.
		"--kube-api-qps=200", "--kube-api-burst=400",
		"--profiling=false")
}

func (c controlPlane) startScheduler(port int) (int, error) {
	return c.startComponent("kube-scheduler", c.ownerPID,
		"--kubeconfig="+c.userConfig("scheduler"),
		"--bind-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", port),
		"--cert-dir="+c.path("config", "scheduler-serving"),
		"--leader-elect=false", "--profiling=false")
}
