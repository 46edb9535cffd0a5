package main

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"modelmaintenance.dev/dev/cluster/internal/machine"
)

func unmountUnder(dirs ...string) error {
	raw, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return err
	}
	for _, point := range machine.MountsUnder(string(raw), dirs...) {
		if err := unix.Unmount(point, unix.MNT_DETACH); err != nil && err != unix.EINVAL && err != unix.ENOENT {
			return fmt.Errorf("unmount %s: %w", point, err)
		}
	}
	return nil
}
