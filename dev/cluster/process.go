package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// markVariable is in the environment of every process of a cluster, with the cluster's directory as value. Containerd hands it
// to its shims. It finds a cluster's processes also when the record of their ids is lost.
const markVariable = "MM_CLUSTER_COMPONENT_OF"

// startDetached starts a program that outlives this one, with its output in the component's log.
func (l layout) startDetached(name, program string, args, environment []string) (int, error) {
	if err := os.MkdirAll(l.logs(), 0o755); err != nil {
		return 0, err
	}
	log, err := os.OpenFile(l.log(name), os.O_CREATE|os.O_WRONLY|os.O_TRUNC|os.O_APPEND, 0o644)
	if err != nil {
		return 0, err
	}
	defer log.Close()
	command := exec.Command(program, args...)
	command.Dir = "/"
	command.Stdout, command.Stderr = log, log
	command.Env = append(os.Environ(), markVariable+"="+l.dir)
	command.Env = append(command.Env, environment...)
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := command.Start(); err != nil {
		return 0, fmt.Errorf("%s does not start: %w", name, err)
	}
	pid := command.Process.Pid
	// Waiting reaps a component that dies during the start; alive() would take its zombie for a process.
	go func() { _ = command.Wait() }()
	return pid, nil
}

// startComponent starts this binary again as one component of the cluster.
func (l layout) startComponent(name string, ownerPID int, args ...string) (int, error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	var environment []string
	if ownerPID != 0 {
		environment = []string{fmt.Sprintf("%s=%d", ownerVariable, ownerPID)}
	}
	return l.startDetached(name, self, append([]string{componentPrefix + name}, args...), environment)
}

// processes lists the live processes that carry this cluster's mark.
func (l layout) processes() []int {
	mark := []byte(markVariable + "=" + l.dir)
	var found []int
	for _, pid := range allProcesses() {
		environment, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "environ"))
		if err != nil {
			continue
		}
		for entry := range bytes.SplitSeq(environment, []byte{0}) {
			if bytes.Equal(entry, mark) {
				found = append(found, pid)
				break
			}
		}
	}
	return found
}

func allProcesses() []int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var pids []int
	for _, entry := range entries {
		if pid, err := strconv.Atoi(entry.Name()); err == nil && pid != os.Getpid() {
			pids = append(pids, pid)
		}
	}
	return pids
}

// alive tells whether a process id still belongs to this cluster; a reused id does not.
func (l layout) alive(pid int) bool {
	environment, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "environ"))
	return err == nil && bytes.Contains(environment, []byte(markVariable+"="+l.dir+"\x00"))
}

// killAll kills processes until lister finds none. A component's state ends with the cluster, so none needs to be asked.
func killAll(lister func() []int, limit time.Duration) error {
	var left []int
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if left = lister(); len(left) == 0 {
			return nil
		}
		for _, pid := range left {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	return fmt.Errorf("processes %v do not end within %s", left, limit)
}

// freePorts returns ports that nothing listened on a moment ago; `up` tries again when one is lost meanwhile.
func freePorts(count int) ([]int, error) {
	ports := make([]int, count)
	for i := range ports {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer listener.Close()
		ports[i] = listener.Addr().(*net.TCPAddr).Port
	}
	return ports, nil
}

// tail returns the last lines of a log, for a message about the component that wrote it.
func tail(path string, lines int) string {
	raw, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	all := strings.Split(strings.TrimSpace(string(raw)), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
