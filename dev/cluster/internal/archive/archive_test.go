package archive

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
)

func contents(t *testing.T, archive []byte) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	reader := tar.NewReader(bytes.NewReader(archive))
	for {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(reader)
		if err != nil {
			t.Fatal(err)
		}
		files[header.Name] = content
	}
}

func TestProgramImageIsADockerArchiveWhoseConfigNamesItsLayer(t *testing.T) {
	image, err := ProgramImage("localhost/a/tool:1", "tool", []byte("program"))
	if err != nil {
		t.Fatal(err)
	}
	files := contents(t, image)
	var manifest []struct {
		Config   string
		RepoTags []string
		Layers   []string
	}
	if err := json.Unmarshal(files["manifest.json"], &manifest); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(manifest[0].RepoTags, []string{"localhost/a/tool:1"}) {
		t.Errorf("names %q", manifest[0].RepoTags)
	}
	layer := files[manifest[0].Layers[0]]
	if got := contents(t, layer)["tool"]; string(got) != "program" {
		t.Errorf("the layer holds %q", got)
	}
	var config struct {
		RootFS struct {
			DiffIDs []string `json:"diff_ids"`
		} `json:"rootfs"`
	}
	if err := json.Unmarshal(files[manifest[0].Config], &config); err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("sha256:%x", sha256.Sum256(layer)); config.RootFS.DiffIDs[0] != want {
		t.Errorf("diff id %s, want %s", config.RootFS.DiffIDs[0], want)
	}
}

func TestImageLinesKeepsNamesAndDropsTheHeaderAndNamesByDigest(t *testing.T) {
	table := "REF TYPE DIGEST SIZE PLATFORMS LABELS\n" +
		"docker.io/library/b:1 application/vnd.oci.image.manifest.v1+json sha256:bb 1 MiB linux/amd64 -\n" +
		"docker.io/library/a:1 application/vnd.oci.image.manifest.v1+json sha256:aa 1 MiB linux/amd64 -\n" +
		"sha256:cc application/vnd.oci.image.manifest.v1+json sha256:aa 1 MiB linux/amd64 -\n"
	want := []string{"docker.io/library/a:1 sha256:aa", "docker.io/library/b:1 sha256:bb"}
	if got := ImageLines(table); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
