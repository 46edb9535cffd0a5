package main

import (
	"flag"
	"fmt"

	"github.com/coredns/caddy"
	_ "github.com/coredns/coredns/core/dnsserver"
	_ "github.com/coredns/coredns/plugin/bind"
	_ "github.com/coredns/coredns/plugin/cache"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/kubernetes"
	_ "github.com/coredns/coredns/plugin/ready"
	_ "github.com/coredns/coredns/plugin/template"
)

// corefile answers for the cluster's names and says "no such name" to all others at once: pods here have
// no way out of the machine, and a name server to forward to would only make them wait.
func corefile(address string, port, readyPort int, kubeconfig string) string {
	return fmt.Sprintf(`cluster.local:%[2]d in-addr.arpa:%[2]d {
    bind %[1]s
    errors
    ready 127.0.0.1:%[3]d
    kubernetes cluster.local in-addr.arpa {
        kubeconfig %[4]s
        ttl 5
    }
    cache 5
}
.:%[2]d {
    bind %[1]s
    template ANY ANY . {
        rcode NXDOMAIN
    }
}
`, address, port, readyPort, kubeconfig)
}

func runDNS(args []string) error {
	flags := flag.NewFlagSet("coredns", flag.ExitOnError)
	address := flags.String("address", bridgeAddress, "")
	port := flags.Int("port", dnsPort, "")
	readyPort := flags.Int("ready-port", 0, "")
	kubeconfig := flags.String("kubeconfig", "", "")
	if err := flags.Parse(args); err != nil {
		return err
	}
	caddy.Quiet = true
	server, err := caddy.Start(caddy.CaddyfileInput{
		Filepath:       "Corefile",
		Contents:       []byte(corefile(*address, *port, *readyPort, *kubeconfig)),
		ServerTypeName: "dns",
	})
	if err != nil {
		return fmt.Errorf("coredns does not start: %w", err)
	}
	server.Wait()
	return nil
}
