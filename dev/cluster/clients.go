package main

import (
	"errors"
	"log/slog"
	"os"

	helmcmd "helm.sh/helm/v4/pkg/cmd"
	helmkube "helm.sh/helm/v4/pkg/kube"
	"k8s.io/component-base/cli"
	kubectlcmd "k8s.io/kubectl/pkg/cmd"
	kubectlutil "k8s.io/kubectl/pkg/cmd/util"
)

func runHelm(args []string) int {
	helmkube.ManagedFieldsManager = "helm"
	// Helm reads its plugins' arguments and its own name from os.Args.
	os.Args = append([]string{"helm"}, args...)
	command, err := helmcmd.NewRootCmd(os.Stdout, args, helmcmd.SetupLogging)
	if err != nil {
		slog.Error("helm cannot start", slog.Any("error", err))
		return 1
	}
	err = command.Execute()
	var exit helmcmd.CommandError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.ExitCode
	}
	return 1
}

func runKubectl(args []string) {
	os.Args = args
	if err := cli.RunNoErrOutput(kubectlcmd.NewDefaultKubectlCommand()); err != nil {
		kubectlutil.CheckErr(err)
	}
}
