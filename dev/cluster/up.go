package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

const upUsage = `Usage: mm-cluster up [flags]

Starts a cluster in the background, waits until it is ready, and prints the path of its kubeconfig:

  export KUBECONFIG=$(mm-cluster up)
  kubectl get nodes

Does nothing when the cluster is up already. What a killed cluster left behind is removed first.
The whole node needs root and the programs containerd, runc, iptables and the CNI plugins
(Debian: apt-get install containerd runc containernetworking-plugins iptables).
With --control-plane-only nothing of that is needed; there are then no pods, and without --controllers nothing acts on
objects: Jobs get no pods, owned objects are not collected, namespaces have no service account and are never deleted.

`

type upOptions struct {
	controlPlaneOnly bool
	controllers      bool
	auditLevel       string
	gpus             int
	ownerPID         int
	timeout          time.Duration
}

func commandUp(args []string) error {
	var options upOptions
	flags := newFlags("up", upUsage)
	dir := flags.String("dir", "", "the cluster's directory (default $MM_CLUSTER_DIR, then $MM_CACHE/cluster)")
	flags.BoolVar(&options.controlPlaneOnly, "control-plane-only", false, "etcd and the API server only; no root needed")
	flags.BoolVar(&options.controllers, "controllers", false,
		"with --control-plane-only: the controller manager too (Jobs, garbage collection, namespaces)")
	flags.StringVar(&options.auditLevel, "audit-level", "Metadata",
		"what the audit log holds of each request: None, Metadata, Request or RequestResponse")
	flags.IntVar(&options.gpus, "gpus", 1, "how many nvidia.com/gpu the node advertises; no device is behind them")
	flags.IntVar(&options.ownerPID, "owner-pid", 0,
		"with --control-plane-only: the cluster ends when the process with this id ends")
	flags.DurationVar(&options.timeout, "timeout", 3*time.Minute, "how long to wait until the cluster is ready")
	if err := parse(flags, args); err != nil {
		return err
	}
	if err := options.check(); err != nil {
		return err
	}
	l, err := newLayout(*dir)
	if err != nil {
		return err
	}
	unlock, err := l.lock()
	if err != nil {
		return err
	}
	defer unlock()
	if !options.controlPlaneOnly {
		unlockStore, err := l.lockStore()
		if err != nil {
			return err
		}
		defer unlockStore()
	}
	return l.up(options)
}

func (o upOptions) check() error {
	levels := []string{"None", "Metadata", "Request", "RequestResponse"}
	switch {
	case !slices.Contains(levels, o.auditLevel):
		return fmt.Errorf("--audit-level: %q is no level; write one of %s", o.auditLevel, strings.Join(levels, ", "))
	case o.gpus < 0:
		return fmt.Errorf("--gpus: %d is negative; write 0 or more", o.gpus)
	case o.controllers && !o.controlPlaneOnly:
		return errors.New("--controllers belongs to --control-plane-only; a whole node always has them: leave it out")
	case o.ownerPID != 0 && !o.controlPlaneOnly:
		return errors.New("--owner-pid belongs to --control-plane-only; end a whole node with \"mm-cluster down\"")
	}
	return nil
}

func newFlags(name, text string) *flag.FlagSet {
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), text, "Flags:\n")
		flags.PrintDefaults()
	}
	return flags
}

// parse refuses words that are no flags: a forgotten "--" would otherwise go unnoticed.
func parse(flags *flag.FlagSet, args []string) error {
	if slices.ContainsFunc(args, func(a string) bool { return a == "--help" || a == "-help" || a == "-h" }) {
		flags.SetOutput(os.Stdout)
		flags.Usage()
		os.Exit(0)
	}
	flags.SetOutput(os.Stderr)
	flags.Usage, _ = func() {}, flags.Usage
	if err := flags.Parse(args); err != nil {
		return fmt.Errorf("%w; \"mm-cluster %s --help\" lists the flags", err, flags.Name())
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q; flags start with --", flags.Arg(0))
	}
	return nil
}

// lock keeps two commands from changing one cluster at once.
func (l layout) lock() (func(), error) {
	if err := os.MkdirAll(l.dir, 0o755); err != nil {
		return nil, fmt.Errorf("--dir: %w; name a directory that you may write", err)
	}
	return flock(l.path("lock"), l.dir)
}

// flock waits for, and takes, the lock on a file.
func flock(path, subject string) (func(), error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("%w; name a directory that you may write", err)
	}
	for waited := 0; ; waited++ {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			break
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		if waited%100 == 0 {
			progress("another command works on %s; waiting for it", subject)
		}
		time.Sleep(100 * time.Millisecond)
	}
	return func() { _ = file.Close() }, nil
}

var started = time.Now()

func progress(format string, values ...any) {
	fmt.Fprintf(os.Stderr, "%5.1fs  %s\n", time.Since(started).Seconds(), fmt.Sprintf(format, values...))
}

func (l layout) up(options upOptions) error {
	state, exists, err := l.load()
	if err != nil {
		return err
	}
	if exists {
		if l.healthy(state) {
			return l.keepRunning(state, options)
		}
		progress("removing what an earlier cluster left in %s", l.dir)
	}
	if err := l.clean(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), options.timeout)
	defer cancel()
	for attempt := 1; ; attempt++ {
		err := l.start(ctx, options)
		if err == nil {
			progress("ready")
			fmt.Println(l.kubeconfig())
			return nil
		}
		var lost portLostError
		retry := errors.As(err, &lost) && attempt < 3
		if cleanErr := l.clean(); cleanErr != nil {
			return errors.Join(err, cleanErr)
		}
		if !retry {
			return err
		}
		progress("%s; trying again with other ports", err)
	}
}

// keepRunning answers an `up` of a cluster that is up: fine, unless another kind of cluster was asked for.
func (l layout) keepRunning(state clusterState, options upOptions) error {
	asked := clusterState{ControlPlaneOnly: options.controlPlaneOnly, Controllers: options.controllers,
		AuditLevel: options.auditLevel, GPUs: options.gpus}
	same := state.ControlPlaneOnly == asked.ControlPlaneOnly && state.Controllers == asked.Controllers &&
		state.AuditLevel == asked.AuditLevel && (asked.ControlPlaneOnly || state.GPUs == asked.GPUs)
	if !same {
		return fmt.Errorf("a cluster with other flags (%s) is up in %s; run \"mm-cluster down --dir %s\" first, or name another --dir",
			state.describe(), l.dir, l.dir)
	}
	progress("already up: %s", state.Server)
	fmt.Println(l.kubeconfig())
	return nil
}

func (s clusterState) describe() string {
	if s.ControlPlaneOnly {
		return fmt.Sprintf("--control-plane-only --controllers=%t --audit-level=%s", s.Controllers, s.AuditLevel)
	}
	return fmt.Sprintf("whole node, --gpus=%d --audit-level=%s", s.GPUs, s.AuditLevel)
}

// healthy tells whether every component runs and the API server answers.
func (l layout) healthy(state clusterState) bool {
	if !state.Ready || len(state.Components) == 0 {
		return false
	}
	for _, pid := range state.Components {
		if !l.alive(pid) {
			return false
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return l.apiReady(ctx) == nil
}

func (l layout) client() (*kubernetes.Clientset, error) {
	config, err := clientcmd.BuildConfigFromFlags("", l.kubeconfig())
	if err != nil {
		return nil, err
	}
	config.QPS, config.Burst = 50, 100
	return kubernetes.NewForConfig(config)
}

func (l layout) apiReady(ctx context.Context) error {
	client, err := l.client()
	if err != nil {
		return err
	}
	return client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
}
