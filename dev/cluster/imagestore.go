package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// lockStore keeps two programs from starting a containerd on the same images.
func (l layout) lockStore() (func(), error) {
	if err := os.MkdirAll(l.cache, 0o755); err != nil {
		return nil, fmt.Errorf("MM_CACHE: %w; name a directory that you may write", err)
	}
	return flock(filepath.Join(l.cache, "containerd.lock"), "the images in "+l.containerd())
}

// withContainerd runs work against the machine's whole node, or, when none is up, against a containerd started for the purpose.
func (l layout) withContainerd(work func() error) error {
	if os.Geteuid() != 0 {
		return errors.New("the node's images belong to root; run it as root")
	}
	if nodeUp(l) {
		return work()
	}
	unlock, err := l.lockStore()
	if err != nil {
		return err
	}
	defer unlock()
	if nodeUp(l) {
		return work()
	}
	alone := layout{dir: filepath.Join(l.cache, "image-store"), cache: l.cache}
	if err := os.MkdirAll(alone.dir, 0o755); err != nil {
		return err
	}
	err = alone.startAlone()
	if err == nil {
		err = work()
	}
	if pid := containerdOf(alone); pid != 0 {
		alone.stopInOrder(pid)
	}
	return errors.Join(err, alone.clean(), os.RemoveAll(alone.dir))
}

// nodeUp tells whether somebody's whole node runs; images then go where its pods find them.
func nodeUp(l layout) bool {
	owner := layout{dir: nodeOwner(), cache: l.cache}
	if owner.dir == "" {
		return false
	}
	pid := containerdOf(owner)
	return pid != 0 && owner.alive(pid)
}

func containerdOf(l layout) int {
	state, _, err := l.load()
	if err != nil {
		return 0
	}
	return state.Components["containerd"]
}

func (l layout) startAlone() error {
	if err := l.claimNode(); err != nil {
		return err
	}
	if err := l.writeRuntimeFiles(); err != nil {
		return err
	}
	pid, err := l.startContainerd()
	if err != nil {
		return err
	}
	if err := l.save(clusterState{Components: map[string]int{"containerd": pid}}); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	_, closeClient, err := connectRuntime(ctx)
	if err != nil {
		return fmt.Errorf("%w: %s", err, tail(l.log("containerd"), 3))
	}
	closeClient()
	return nil
}

// stopInOrder lets containerd finish what it writes, for up to ten seconds.
func (l layout) stopInOrder(pid int) {
	_ = syscall.Kill(pid, syscall.SIGTERM)
	for deadline := time.Now().Add(10 * time.Second); l.alive(pid) && time.Now().Before(deadline); {
		time.Sleep(50 * time.Millisecond)
	}
}
