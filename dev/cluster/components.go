package main

import (
	"context"
	"flag"
	"fmt"
	"net/url"
	"os"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/embed"
	"golang.org/x/sys/unix"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

// componentPrefix marks the hidden commands by which `up` starts this binary again, once per component.
const componentPrefix = "component:"

const ownerVariable = "MM_CLUSTER_OWNER_PID"

func runComponent(name string, args []string) {
	exitWithOwner()
	// The components parse the process's own arguments in places.
	os.Args = append([]string{name}, args...)
	switch name {
	case "etcd":
		exitOn(runEtcd(args))
	case "coredns":
		exitOn(runDNS(args))
	case "node-addons":
		exitOn(runNodeAddons(args))
	case "kube-apiserver":
		runCobra(apiserver.NewAPIServerCommand(), args)
	case "kube-controller-manager":
		runCobra(controllers.NewControllerManagerCommand(), args)
	case "kube-scheduler":
		runCobra(scheduler.NewSchedulerCommand(), args)
	case "kube-proxy":
		runCobra(proxy.NewProxyCommand(), args)
	case "kubelet":
		runCobra(kubelet.NewKubeletCommand(context.Background()), args)
	default:
		exitOn(fmt.Errorf("there is no component %q", name))
	}
}

func runCobra(command *cobra.Command, args []string) {
	command.SetArgs(args)
	os.Exit(cli.Run(command))
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// exitWithOwner ends this component when the process that asked for the cluster ends, so that a killed
// test run leaves no control plane behind.
func exitWithOwner() {
	var pid int
	if _, err := fmt.Sscan(os.Getenv(ownerVariable), &pid); err != nil || pid == 0 {
		return
	}
	handle, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		exitOn(fmt.Errorf("--owner-pid %d: %w", pid, err))
	}
	go func() {
		poll := []unix.PollFd{{Fd: int32(handle), Events: unix.POLLIN}}
		for {
			if count, _ := unix.Poll(poll, -1); count > 0 {
				_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			}
		}
	}()
}

// runEtcd serves a store that does not sync to disk: a development cluster's objects end with it.
func runEtcd(args []string) error {
	flags := flag.NewFlagSet("etcd", flag.ExitOnError)
	data := flags.String("data-dir", "", "")
	clientPort := flags.Int("client-port", 0, "")
	peerPort := flags.Int("peer-port", 0, "")
	pki := flags.String("pki-dir", "", "")
	if err := flags.Parse(args); err != nil {
		return err
	}
	config := embed.NewConfig()
	config.Dir = *data
	config.UnsafeNoFsync = true
	config.LogLevel = "warn"
	client := url.URL{Scheme: "https", Host: fmt.Sprintf("127.0.0.1:%d", *clientPort)}
	peer := url.URL{Scheme: "http", Host: fmt.Sprintf("127.0.0.1:%d", *peerPort)}
	config.ListenClientUrls, config.AdvertiseClientUrls = []url.URL{client}, []url.URL{client}
	config.ListenPeerUrls, config.AdvertisePeerUrls = []url.URL{peer}, []url.URL{peer}
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	files := pkiFiles(*pki)
	config.ClientTLSInfo.CertFile, config.ClientTLSInfo.KeyFile = files.cert("etcd"), files.key("etcd")
	config.ClientTLSInfo.TrustedCAFile = files.cert("ca")
	config.ClientTLSInfo.ClientCertAuth = true

	server, err := embed.StartEtcd(config)
	if err != nil {
		return fmt.Errorf("etcd does not start: %w", err)
	}
	select {
	case <-server.Server.ReadyNotify():
		fmt.Fprintln(os.Stderr, "etcd is ready at", client.String())
	case <-time.After(time.Minute):
		return fmt.Errorf("etcd is not ready after one minute")
	}
	return <-server.Err()
}
