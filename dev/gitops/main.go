// Says of resources what GitOps tools would say: kstatus' verdict, which Flux and Helm wait for, and Argo CD's, by its Lua script.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
)

const usage = `usage: gitops-verdict --argocd-health health.lua [--patience 1s] < resources.yaml

Reads resources (YAML documents or JSON) as "kubectl get -o yaml" prints them, and prints one line of JSON for each:

  {"name": "news", "kstatus": {"status": "Current", "message": "..."}, "argocd": {"status": "Healthy", "message": "..."}}

kstatus  what "helm --wait" and a Flux Kustomization with "wait: true" go by: InProgress, Current, Failed, Terminating
argocd   what Argo CD shows, by the health script: Progressing, Healthy, Suspended, Degraded, Unknown;
         a script that takes longer than --patience is stopped (1s, as Argo CD does; more where a machine may be that slow)
`

type verdict struct {
	Name    string    `json:"name"`
	Kstatus statement `json:"kstatus"`
	ArgoCD  statement `json:"argocd"`
}

type statement struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

func main() {
	flag.Usage = func() { fmt.Fprint(flag.CommandLine.Output(), usage) }
	path := flag.String("argocd-health", "", "")
	patience := flag.Duration("patience", time.Second, "")
	flag.Parse()
	if *path == "" || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	if err := judge(*path, *patience, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "gitops-verdict:", err)
		os.Exit(1)
	}
}

func judge(path string, patience time.Duration, in io.Reader, out io.Writer) error {
	script, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	documents := yaml.NewYAMLOrJSONDecoder(in, 4096)
	lines := json.NewEncoder(out)
	for number := 1; ; number++ {
		resource := &unstructured.Unstructured{}
		if err := documents.Decode(resource); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("document %d on stdin: %w", number, err)
		}
		if resource.Object == nil {
			continue
		}
		result, err := status.Compute(resource)
		if err != nil {
			return fmt.Errorf("%s: kstatus: %w", resource.GetName(), err)
		}
		if err := lines.Encode(verdict{
			Name:    resource.GetName(),
			Kstatus: statement{result.Status.String(), result.Message},
			ArgoCD:  argocdHealth(resource, string(script), patience),
		}); err != nil {
			return err
		}
	}
}
