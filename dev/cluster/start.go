package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"
)

// portLostError says that a port which was free a moment ago is not free any more.
type portLostError struct{ component string }

func (e portLostError) Error() string { return e.component + " lost its port to another program" }

// starter is one run of `up`: it starts components one by one and keeps the record of them on disk.
type starter struct {
	controlPlane
	state clusterState
}

func (l layout) start(ctx context.Context, options upOptions) error {
	ports, err := freePorts(7)
	if err != nil {
		return err
	}
	plane := controlPlane{layout: l, bind: "127.0.0.1", apiPort: ports[0], etcdPort: ports[1], etcdPeer: ports[2],
		auditLevel: options.auditLevel, ownerPID: options.ownerPID}
	if !options.controlPlaneOnly {
		plane.bind, plane.apiPort, plane.wholeNode = bridgeAddress, apiPort, true
	}
	s := starter{controlPlane: plane, state: clusterState{
		ControlPlaneOnly: options.controlPlaneOnly, Controllers: options.controllers, AuditLevel: options.auditLevel,
		GPUs: options.gpus, Server: plane.server(), Components: map[string]int{},
	}}
	if options.controlPlaneOnly {
		err = s.startControlPlane(ctx, options.controllers, ports[3:])
	} else {
		err = s.startNode(ctx, ports[3:])
	}
	if err != nil {
		return err
	}
	s.state.Ready = true
	return l.save(s.state)
}

func (s *starter) startControlPlane(ctx context.Context, controllers bool, ports []int) error {
	if err := s.writeFiles(); err != nil {
		return err
	}
	if err := s.startStore(ctx); err != nil {
		return err
	}
	if controllers {
		if err := s.record("kube-controller-manager")(s.startControllerManager(ports[0])); err != nil {
			return err
		}
		return s.wait(ctx, "the default service account", s.defaultServiceAccount)
	}
	return nil
}

// startStore starts etcd and the API server; the API server itself waits for etcd.
func (s *starter) startStore(ctx context.Context) error {
	progress("starting etcd and the API server at %s", s.server())
	if err := s.record("etcd")(s.startEtcd()); err != nil {
		return err
	}
	if err := s.record("kube-apiserver")(s.startAPIServer()); err != nil {
		return err
	}
	return s.wait(ctx, "the API server", s.apiReady)
}

// record notes a started component at once, so that a command after a crash in the middle knows of it.
func (s *starter) record(name string) func(int, error) error {
	return func(pid int, err error) error {
		if err != nil {
			return err
		}
		s.state.Components[name] = pid
		return s.save(s.state)
	}
}

// wait polls until check passes, and fails early, with the log's end, when a component has died.
func (s *starter) wait(ctx context.Context, what string, check func(context.Context) error) error {
	next := time.Now().Add(10 * time.Second)
	for {
		err := check(ctx)
		if err == nil {
			return nil
		}
		for name, pid := range s.state.Components {
			if !s.alive(pid) && processGone(pid) {
				return s.death(name)
			}
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%s is not ready in time: %w; the logs are in %s", what, err, s.logs())
		}
		if time.Now().After(next) {
			progress("waiting for %s (%s)", what, firstLine(err.Error()))
			next = time.Now().Add(10 * time.Second)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func (s *starter) death(name string) error {
	end := tail(s.log(name), 8)
	if strings.Contains(end, "address already in use") {
		return portLostError{component: name}
	}
	return fmt.Errorf("%s ended by itself; its log %s ends with:\n%s", name, s.log(name), end)
}

// processGone holds also for a child between fork and exec, whose environment cannot be read yet: it is there.
func processGone(pid int) bool {
	_, err := os.Stat(fmt.Sprintf("/proc/%d", pid))
	return os.IsNotExist(err)
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}
