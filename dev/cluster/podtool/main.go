// Command podtool is the one program of the image that mm-cluster makes for itself: it holds the pods' sandboxes open and, in
// tests, does one small thing inside a pod and says how it went.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

const usage = `Usage: podtool COMMAND

  pause                  wait for SIGTERM; without a command, this
  sleep DURATION         wait for so long ("3s")
  print TEXT             print it
  api PATH               GET a path of the Kubernetes API with the pod's service account and print the answer
  resolve NAME           print the addresses of a name
  fetch URL              GET a URL and print the answer
  serve ADDRESS TEXT     answer every HTTP request with a text, until SIGTERM
  write FILE TEXT        write a text to a file
  await FILE             wait up to a minute until a file is there, and print it
`

const accountDir = "/var/run/secrets/kubernetes.io/serviceaccount/"

func main() {
	args := append(os.Args[1:], "", "", "")
	if err := run(args[0], args[1], args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "podtool:", err)
		os.Exit(1)
	}
}

func run(command, first, second string) error {
	switch command {
	case "", "pause":
		return pause()
	case "sleep":
		duration, err := time.ParseDuration(first)
		time.Sleep(duration)
		return err
	case "print":
		fmt.Println(first)
		return nil
	case "api":
		return api(first)
	case "resolve":
		addresses, err := net.LookupHost(first)
		fmt.Println(strings.Join(addresses, " "))
		return err
	case "fetch":
		return fetch(&http.Client{Timeout: 10 * time.Second}, first, "")
	case "serve":
		return serve(first, second)
	case "write":
		return os.WriteFile(first, []byte(second), 0o644)
	case "await":
		return await(first)
	}
	return errors.New("there is no command " + command + "\n" + usage)
}

// pause reaps what it inherits: with a shared process namespace the sandbox's first process is everyone's parent.
func pause() error {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGCHLD)
	for received := range signals {
		if received != syscall.SIGCHLD {
			return nil
		}
		for {
			if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); pid <= 0 || err != nil {
				break
			}
		}
	}
	return nil
}

func api(path string) error {
	token, err := os.ReadFile(accountDir + "token")
	if err != nil {
		return err
	}
	authority, err := os.ReadFile(accountDir + "ca.crt")
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(authority) {
		return errors.New("no certificate in " + accountDir + "ca.crt")
	}
	client := &http.Client{
		Timeout:   10 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}},
	}
	host := net.JoinHostPort(os.Getenv("KUBERNETES_SERVICE_HOST"), os.Getenv("KUBERNETES_SERVICE_PORT"))
	return fetch(client, "https://"+host+path, string(token))
}

func fetch(client *http.Client, address, token string) error {
	request, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err := io.Copy(os.Stdout, response.Body); err != nil {
		return err
	}
	if response.StatusCode >= http.StatusBadRequest {
		return errors.New(response.Status)
	}
	return nil
}

func serve(address, text string) error {
	go func() {
		err := http.ListenAndServe(address, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintln(w, text)
		}))
		fmt.Fprintln(os.Stderr, "podtool:", err)
		os.Exit(1)
	}()
	return pause()
}

func await(file string) error {
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(200 * time.Millisecond) {
		content, err := os.ReadFile(file)
		if err == nil {
			fmt.Println(string(content))
			return nil
		}
		if time.Now().After(deadline) {
			return err
		}
	}
}
