package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

const (
	nodeName      = "mm-node"
	bridgeName    = "mmbr0"
	bridgeAddress = "10.88.0.1"
	podCIDR       = "10.88.0.0/24"
	serviceCIDR   = "10.96.0.0/16"
	apiServiceIP  = "10.96.0.1"
	dnsServiceIP  = "10.96.0.10"
	dnsPort       = 10053
	apiPort       = 6443
	kubeletPort   = 10250
	cgroupName    = "mm-cluster"

	// runtimeDir holds the whole node's sockets and run-time state. It is the same for every --dir because
	// a machine can have one whole node only, and because socket paths must be short.
	runtimeDir = "/run/mm-cluster"
)

// layout names every file of one cluster.
type layout struct {
	dir   string
	cache string
}

func newLayout(dir string) (layout, error) {
	cache := os.Getenv("MM_CACHE")
	if cache == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return layout{}, fmt.Errorf("set MM_CACHE or HOME: %w", err)
		}
		cache = filepath.Join(home, ".cache", "model-maintenance")
	}
	if dir == "" {
		dir = os.Getenv("MM_CLUSTER_DIR")
	}
	if dir == "" {
		dir = filepath.Join(cache, "cluster")
	}
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return layout{}, err
	}
	return layout{dir: absolute, cache: cache}, nil
}

func (l layout) path(parts ...string) string {
	return filepath.Join(append([]string{l.dir}, parts...)...)
}

func (l layout) state() string       { return l.path("state.json") }
func (l layout) pki() pkiFiles       { return pkiFiles(l.path("pki")) }
func (l layout) kubeconfig() string  { return l.path("kubeconfig") }
func (l layout) audit() string       { return l.path("audit.jsonl") }
func (l layout) logs() string        { return l.path("logs") }
func (l layout) kubelet() string     { return l.path("kubelet") }
func (l layout) volumes() string     { return l.path("volumes") }
func (l layout) containerd() string  { return filepath.Join(l.cache, "containerd") }
func (l layout) log(n string) string { return filepath.Join(l.logs(), n+".log") }

func runtimePath(parts ...string) string {
	return filepath.Join(append([]string{runtimeDir}, parts...)...)
}

func containerdSocket() string { return runtimePath("containerd.sock") }

// clusterState is what `up` leaves for the other commands.
type clusterState struct {
	ControlPlaneOnly bool           `json:"controlPlaneOnly"`
	Controllers      bool           `json:"controllers"`
	AuditLevel       string         `json:"auditLevel"`
	GPUs             int            `json:"gpus"`
	Server           string         `json:"server"`
	Components       map[string]int `json:"components"` // name to process id
	Ready            bool           `json:"ready"`
}

func (l layout) load() (clusterState, bool, error) {
	var state clusterState
	raw, err := os.ReadFile(l.state())
	if errors.Is(err, os.ErrNotExist) {
		return state, false, nil
	}
	if err != nil {
		return state, false, err
	}
	// A state file cut short by a crash is a cluster that must be cleaned, not an error.
	if json.Unmarshal(raw, &state) != nil {
		return clusterState{}, true, nil
	}
	return state, true, nil
}

func (l layout) save(state clusterState) error {
	raw, err := json.MarshalIndent(state, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(l.state(), append(raw, '\n'), 0o600)
}
