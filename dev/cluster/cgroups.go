package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// cgroupRoots lists the machine's cgroup hierarchies: one with cgroup v2, one per controller with v1.
func cgroupRoots() []string {
	var roots []string
	raw, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(raw)) {
		fields := strings.Fields(line)
		if len(fields) > 2 && (fields[2] == "cgroup" || fields[2] == "cgroup2") {
			roots = append(roots, fields[1])
		}
	}
	return roots
}

// createCgroups makes the one parent under which the kubelet puts every pod.
func createCgroups() error {
	for _, root := range cgroupRoots() {
		enableControllers(root)
		dir := filepath.Join(root, cgroupName)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("create the cgroup %s: %w", dir, err)
		}
		// A v1 cpuset starts without any processor or memory node, and takes no process until it has some.
		for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
			value, err := os.ReadFile(filepath.Join(root, file))
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(dir, file), value, 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}

// enableControllers hands a v2 hierarchy's controllers down to its children. Those that the machine lacks the kubelet names
// better than we could; a v1 hierarchy has no such file.
func enableControllers(root string) {
	file := filepath.Join(root, "cgroup.subtree_control")
	if _, err := os.Stat(file); err != nil {
		return
	}
	for _, controller := range []string{"cpuset", "cpu", "io", "memory", "hugetlb", "pids"} {
		_ = os.WriteFile(file, []byte("+"+controller), 0o644)
	}
}

// cgroupDirs lists our cgroups, children before parents.
func cgroupDirs() []string {
	var dirs []string
	for _, root := range cgroupRoots() {
		_ = filepath.WalkDir(filepath.Join(root, cgroupName), func(path string, entry fs.DirEntry, err error) error {
			if err == nil && entry.IsDir() {
				dirs = append(dirs, path)
			}
			return nil
		})
	}
	slices.Reverse(dirs)
	return dirs
}

func cgroupProcesses() []int {
	seen := map[int]bool{}
	for _, dir := range cgroupDirs() {
		raw, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
		if err != nil {
			continue
		}
		for field := range strings.FieldsSeq(string(raw)) {
			// 0 stands for a process outside our process-id namespace, which we could not have started.
			if pid, err := strconv.Atoi(field); err == nil && pid > 0 {
				seen[pid] = true
			}
		}
	}
	pids := make([]int, 0, len(seen))
	for pid := range seen {
		pids = append(pids, pid)
	}
	return pids
}

func removeCgroups() error {
	var last error
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		dirs := cgroupDirs()
		if len(dirs) == 0 {
			return nil
		}
		for _, dir := range dirs {
			if err := unix.Rmdir(dir); err != nil && !errors.Is(err, unix.ENOENT) {
				last = fmt.Errorf("remove the cgroup %s: %w", dir, err)
			}
		}
	}
	return last
}
