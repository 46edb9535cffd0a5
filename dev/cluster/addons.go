package main

import (
	"context"
	"flag"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// runNodeAddons runs what Kubernetes leaves to others: a volume provisioner and a device plugin.
func runNodeAddons(args []string) error {
	flags := flag.NewFlagSet("node-addons", flag.ExitOnError)
	kubeconfig := flags.String("kubeconfig", "", "")
	volumes := flags.String("volumes", "", "")
	gpus := flags.Int("gpus", 0, "")
	if err := flags.Parse(args); err != nil {
		return err
	}
	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	if *gpus > 0 {
		go keepDevicesRegistered(context.Background(), *gpus)
	}
	return provisioner{client: client, root: *volumes}.run(context.Background())
}
