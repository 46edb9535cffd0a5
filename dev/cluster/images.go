package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"modelmaintenance.dev/dev/cluster/internal/archive"
)

// podtoolImage is the image of the pods' sandboxes; tests and examples use it for pods that need no more than podtool.
const podtoolImage = "localhost/mm-cluster/podtool:dev"

func ctr(arguments ...string) *exec.Cmd {
	return exec.Command("ctr", append([]string{"--address", containerdSocket(), "--namespace", "k8s.io"}, arguments...)...)
}

func importArchive(source io.Reader) error {
	command := ctr("images", "import", "-")
	command.Stdin = source
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, &output
	if err := command.Run(); err != nil {
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(output.String()))
	}
	return nil
}

// importPodtool makes the podtool image from the program beside this one.
func importPodtool() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	program, err := os.ReadFile(filepath.Join(filepath.Dir(self), "podtool"))
	if err != nil {
		return fmt.Errorf("podtool is not beside mm-cluster; build both with dev/cluster/build: %w", err)
	}
	image, err := archive.ProgramImage(podtoolImage, "podtool", program)
	if err != nil {
		return err
	}
	if err := importArchive(bytes.NewReader(image)); err != nil {
		return fmt.Errorf("import %s: %w", podtoolImage, err)
	}
	return nil
}

// progressReader says every few seconds how much has gone through it.
type progressReader struct {
	io.Reader
	read int64
	next time.Time
}

func (p *progressReader) Read(buffer []byte) (int, error) {
	count, err := p.Reader.Read(buffer)
	p.read += int64(count)
	if now := time.Now(); now.After(p.next) {
		if !p.next.IsZero() {
			progress("read %d MB", p.read/1_000_000)
		}
		p.next = now.Add(10 * time.Second)
	}
	return count, err
}

func commandImportImage(args []string) error {
	l, err := layoutFromFlags("import-image", "Usage: docker save IMAGE | mm-cluster import-image [flags]\n\n"+
		"Puts the images of a docker archive (uncompressed or gzip) into the node's images, under their names in it.\n"+
		"Works with the cluster up or down. Images are kept in $MM_CACHE/containerd and outlive the cluster.\n"+
		"Pods find them with imagePullPolicy Never or IfNotPresent.\n\n", args)
	if err != nil {
		return err
	}
	if info, err := os.Stdin.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
		return fmt.Errorf("standard input is a terminal; pipe a docker archive in: docker save IMAGE | mm-cluster import-image")
	}
	return l.withContainerd(func() error {
		source := &progressReader{Reader: os.Stdin}
		if err := importArchive(source); err != nil {
			return err
		}
		progress("imported %d MB", source.read/1_000_000)
		return nil
	})
}

func commandImages(args []string) error {
	l, err := layoutFromFlags("images", "Usage: mm-cluster images [flags]\n\n"+
		"Lists the node's images, one a line: name, then the digest of its manifest. Works with the cluster up or down.\n\n", args)
	if err != nil {
		return err
	}
	return l.withContainerd(func() error {
		raw, err := ctr("images", "list").Output()
		if err != nil {
			return err
		}
		for _, line := range archive.ImageLines(string(raw)) {
			fmt.Println(line)
		}
		return nil
	})
}
