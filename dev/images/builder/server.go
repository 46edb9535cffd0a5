package main

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"time"

	ctd "github.com/containerd/containerd/v2/client"
	"github.com/moby/buildkit/control"
	"github.com/moby/buildkit/frontend"
	dockerfile "github.com/moby/buildkit/frontend/dockerfile/builder"
	"github.com/moby/buildkit/frontend/gateway/forwarder"
	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/solver"
	"github.com/moby/buildkit/solver/bboltcachestorage"
	"github.com/moby/buildkit/util/db/boltutil"
	"github.com/moby/buildkit/util/network/netproviders"
	"github.com/moby/buildkit/util/resolver"
	"github.com/moby/buildkit/worker"
	"github.com/moby/buildkit/worker/base"
	"github.com/moby/buildkit/worker/containerd"
	"google.golang.org/grpc"
)

const (
	// namespace is where the kubelet looks for images.
	namespace   = "k8s.io"
	snapshotter = "overlayfs"
	// cgroup is not the cluster's, whose end takes every process in its own with it.
	cgroup = "mm-images"
)

// buildServer is BuildKit's controller in this process, for as long as one build.
type buildServer struct {
	controller *control.Controller
	grpc       *grpc.Server
	stop       context.CancelFunc
}

func (s *buildServer) close() {
	s.stop()
	s.grpc.Stop()
	_ = s.controller.Close()
}

func serve(o options, listener net.Listener) (*buildServer, error) {
	containerdClient, err := ctd.New(o.address, ctd.WithDefaultNamespace(namespace), ctd.WithTimeout(10*time.Second))
	if err != nil {
		return nil, fmt.Errorf("no containerd answers at %s; start it with \"mm-cluster up\": %w", o.address, err)
	}
	workers, err := newWorkers(o, containerdClient)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	controller, err := newController(ctx, o, workers)
	if err != nil {
		stop()
		return nil, err
	}
	server := grpc.NewServer(grpc.MaxRecvMsgSize(64 << 20))
	controller.Register(server)
	go func() { _ = server.Serve(listener) }()
	return &buildServer{controller: controller, grpc: server, stop: stop}, nil
}

// newWorkers makes the one worker: steps run as containers of containerd, on the machine's own network.
func newWorkers(o options, containerdClient *ctd.Client) (*worker.Controller, error) {
	options, err := containerd.NewWorkerOpt(containerd.WorkerOptions{
		Root:            o.root,
		Address:         o.address,
		SnapshotterName: snapshotter,
		Namespace:       namespace,
		NetworkOpt:      netproviders.Opt{Mode: "host"},
		CgroupParent:    cgroup,
	}, ctd.WithTimeout(10*time.Second))
	if err != nil {
		return nil, err
	}
	options.RegistryHosts = resolver.NewRegistryConfig(nil)
	baseWorker, err := base.NewWorker(context.Background(), options)
	if err != nil {
		return nil, err
	}
	workers := &worker.Controller{}
	return workers, workers.Add(linkingWorker{Worker: baseWorker, client: containerdClient})
}

func newController(ctx context.Context, o options, workers *worker.Controller) (*control.Controller, error) {
	sessions, err := session.NewManager()
	if err != nil {
		return nil, err
	}
	steps, err := bboltcachestorage.NewStore(filepath.Join(o.root, "cache.db"))
	if err != nil {
		return nil, err
	}
	history, err := boltutil.SafeOpen(filepath.Join(o.root, "history.db"), 0o600, nil)
	if err != nil {
		return nil, err
	}
	w, err := workers.GetDefault()
	if err != nil {
		return nil, err
	}
	return control.NewController(control.Opt{
		SessionManager:   sessions,
		WorkerController: workers,
		Frontends: map[string]frontend.Frontend{
			"dockerfile.v0": forwarder.NewGatewayForwarder(workers.Infos(), dockerfile.Build),
		},
		CacheManager:   solver.NewCacheManager(ctx, "local", steps, worker.NewCacheResultStorage(workers)),
		CacheStore:     steps,
		HistoryDB:      history,
		LeaseManager:   w.LeaseManager(),
		ContentStore:   w.ContentStore(),
		GarbageCollect: w.GarbageCollect,
		GracefulStop:   ctx.Done(),
	})
}
