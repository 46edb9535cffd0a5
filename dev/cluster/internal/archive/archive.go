// Package archive makes container images without a container engine.
package archive

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"strings"
)

// ProgramImage makes a docker archive of an image with one static program and nothing else in it.
func ProgramImage(reference, name string, program []byte) ([]byte, error) {
	layer, err := tarball(tarFile{name, 0o755, program})
	if err != nil {
		return nil, err
	}
	config, err := json.Marshal(map[string]any{
		"architecture": runtime.GOARCH, "os": "linux",
		"config": map[string]any{"Entrypoint": []string{"/" + name}, "User": "65532:65532"},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{fmt.Sprintf("sha256:%x", sha256.Sum256(layer))}},
	})
	if err != nil {
		return nil, err
	}
	manifest, err := json.Marshal([]map[string]any{
		{"Config": "config.json", "RepoTags": []string{reference}, "Layers": []string{"layer.tar"}},
	})
	if err != nil {
		return nil, err
	}
	return tarball(tarFile{"config.json", 0o644, config}, tarFile{"layer.tar", 0o644, layer},
		tarFile{"manifest.json", 0o644, manifest})
}

type tarFile struct {
	name    string
	mode    int64
	content []byte
}

func tarball(files ...tarFile) ([]byte, error) {
	var buffer bytes.Buffer
	writer := tar.NewWriter(&buffer)
	for _, file := range files {
		header := &tar.Header{Name: file.name, Mode: file.mode, Size: int64(len(file.content)), Typeflag: tar.TypeReg}
		if err := writer.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := writer.Write(file.content); err != nil {
			return nil, err
		}
	}
	err := writer.Close()
	return buffer.Bytes(), err
}

// ImageLines keeps the name and digest of each named image of `ctr images list`.
func ImageLines(table string) []string {
	var lines []string
	for line := range strings.Lines(table) {
		fields := strings.Fields(line)
		if len(fields) > 2 && strings.HasPrefix(fields[2], "sha256:") && !strings.HasPrefix(fields[0], "sha256:") {
			lines = append(lines, fields[0]+" "+fields[2])
		}
	}
	slices.Sort(lines)
	return lines
}
