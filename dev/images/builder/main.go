// Command mm-build builds an image from a Dockerfile, straight into a containerd: BuildKit without a daemon of its own,
// for machines that have a containerd, no Docker and no registry.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/containerd/log"
	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/session/auth/authprovider"
	"github.com/moby/buildkit/util/progress/progressui"
	"github.com/tonistiigi/fsutil"
	"golang.org/x/sync/errgroup"
)

const usage = `Usage: mm-build --dockerfile FILE --name NAME [flags] [CONTEXT]

Builds the Dockerfile and leaves the image in containerd, unpacked, ready for the kubelet:

  mm-build --dockerfile Dockerfile.operator --name docker.io/model-maintenance/operator:0.1.0 .

Images named in FROM are taken from that containerd first. With --push the image goes to the registry in its name,
with the credentials that "docker login" or its like left in ~/.docker/config.json.

Flags:
`

// pairs is a flag that may be repeated: --build-arg KEY=VALUE.
type pairs map[string]string

func (p pairs) String() string { return "" }

func (p pairs) Set(text string) error {
	key, value, found := strings.Cut(text, "=")
	if !found {
		return fmt.Errorf("%q has no =; write KEY=VALUE", text)
	}
	p[key] = value
	return nil
}

type options struct {
	dockerfile, name, directory, address, root string
	buildArgs                                  pairs
	push, prune                                bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	_ = log.SetLevel("error")
	if err := run(ctx, os.Args[1:]); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "mm-build:", err)
			os.Exit(1)
		}
	}
}

func run(ctx context.Context, args []string) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	listener, err := net.Listen("unix", filepath.Join(o.root, "builder.sock"))
	if err != nil {
		return fmt.Errorf("--root: %w; does another mm-build work there?", err)
	}
	defer listener.Close()
	server, err := serve(o, listener)
	if err != nil {
		return err
	}
	defer server.close()
	builder, err := client.New(ctx, "unix://"+listener.Addr().String())
	if err != nil {
		return err
	}
	defer builder.Close()
	if o.prune {
		return builder.Prune(ctx, nil, client.PruneAll)
	}
	return build(ctx, builder, o)
}

func parse(args []string) (options, error) {
	o := options{directory: ".", buildArgs: pairs{}}
	flags := flag.NewFlagSet("mm-build", flag.ContinueOnError)
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), usage)
		flags.PrintDefaults()
	}
	flags.StringVar(&o.dockerfile, "dockerfile", "", "the Dockerfile")
	flags.StringVar(&o.name, "name", "", "the image's full name, host and tag included")
	flags.StringVar(&o.address, "containerd", "/run/mm-cluster/containerd.sock", "containerd's socket")
	flags.StringVar(&o.root, "root", "", "where the build cache's index is kept")
	flags.Var(o.buildArgs, "build-arg", "KEY=VALUE of an ARG; repeatable")
	flags.BoolVar(&o.push, "push", false, "push the image to the registry in its name")
	flags.BoolVar(&o.prune, "prune", false, "build nothing; remove the build cache (images stay)")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		o.directory = flags.Arg(0)
	}
	switch {
	case o.root == "":
		return o, errors.New("--root is missing; name a directory that you may write")
	case o.prune:
	case o.dockerfile == "":
		return o, errors.New("--dockerfile is missing; \"mm-build --help\" shows an example")
	case o.name == "":
		return o, errors.New("--name is missing; \"mm-build --help\" shows an example")
	}
	return o, os.MkdirAll(o.root, 0o700)
}

// build runs the Dockerfile and shows its steps as plain lines.
func build(ctx context.Context, builder *client.Client, o options) error {
	files, err := fsutil.NewFS(o.directory)
	if err != nil {
		return err
	}
	dockerfiles, err := fsutil.NewFS(filepath.Dir(o.dockerfile))
	if err != nil {
		return err
	}
	attributes := map[string]string{"filename": filepath.Base(o.dockerfile), "image-resolve-mode": "local"}
	for key, value := range o.buildArgs {
		attributes["build-arg:"+key] = value
	}
	statuses := make(chan *client.SolveStatus)
	display, err := progressui.NewDisplay(os.Stderr, progressui.PlainMode)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		_, err := builder.Solve(ctx, nil, client.SolveOpt{
			Exports:       []client.ExportEntry{{Type: client.ExporterImage, Attrs: exportAttributes(o)}},
			Frontend:      "dockerfile.v0",
			FrontendAttrs: attributes,
			LocalMounts:   map[string]fsutil.FS{"context": files, "dockerfile": dockerfiles},
			Session:       []session.Attachable{authprovider.NewDockerAuthProvider(authprovider.DockerAuthProviderConfig{})},
		}, statuses)
		return err
	})
	group.Go(func() error {
		_, err := display.UpdateFrom(context.WithoutCancel(ctx), statuses)
		return err
	})
	return group.Wait()
}

// exportAttributes asks for zstd at its fastest: writing six gigabytes of layers takes longer than compressing them.
func exportAttributes(o options) map[string]string {
	attributes := map[string]string{
		"name": o.name, "oci-mediatypes": "true", "compression": "zstd", "compression-level": "1",
	}
	if o.push {
		attributes["push"] = "true"
		attributes["force-compression"] = "true" // the base image's layers too
	}
	return attributes
}
