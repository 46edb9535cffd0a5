package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"modelmaintenance.dev/dev/cluster/internal/machine"
)

const downUsage = `Usage: mm-cluster down [flags]

Stops the cluster and removes every process, mount, network interface, iptables chain, network namespace and cgroup of
it; also of one that was killed. Does nothing when there is none. The logs stay in the directory until the next "up"; so do the images in
$MM_CACHE/containerd.

`

func commandDown(args []string) error {
	flags := newFlags("down", downUsage)
	dir := flags.String("dir", "", "the cluster's directory (default $MM_CLUSTER_DIR, then $MM_CACHE/cluster)")
	if err := parse(flags, args); err != nil {
		return err
	}
	l, err := newLayout(*dir)
	if err != nil {
		return err
	}
	// A directory removed by hand does not mean that nothing runs.
	if _, err := os.Stat(l.dir); errors.Is(err, os.ErrNotExist) && !l.ownsNode() && len(l.processes()) == 0 {
		progress("there is no cluster in %s", l.dir)
		return nil
	}
	unlock, err := l.lock()
	if err != nil {
		return err
	}
	defer unlock()
	if err := l.clean(); err != nil {
		return err
	}
	progress("down: %s", l.dir)
	return nil
}

// clean removes a cluster in whatever state it is. It starts from what is on the machine and not from records, which a crash may
// have cut short.
func (l layout) clean() error {
	if l.ownsNode() {
		if err := l.cleanNode(); err != nil {
			return err
		}
	}
	if err := killAll(l.processes, 20*time.Second); err != nil {
		return err
	}
	return l.removeFiles()
}

// removeFiles empties the directory but for the lock that this command holds and the logs.
func (l layout) removeFiles() error {
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return err
	}
	// Through a mount, removing our files would remove somebody's data.
	if left := machine.MountsUnder(string(mounts), l.dir); len(left) > 0 {
		return fmt.Errorf("still mounted in the cluster's directory: %v; unmount them as root", left)
	}
	entries, err := os.ReadDir(l.dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if entry.Name() == "lock" || entry.Name() == "logs" {
			continue
		}
		if err := os.RemoveAll(l.path(entry.Name())); err != nil {
			return fmt.Errorf("remove what the cluster left: %w", err)
		}
	}
	return nil
}
