// A real Kubernetes API server for ngf-tui's tests: etcd and kube-apiserver with tokens for several users,
// RBAC and CustomResourceDefinitions. Nothing else of Kubernetes runs: no controllers, no kubelet.
//
//	apiserver [-data DIR] [-port 0] [-apply FILE-OR-FOLDER]... [-- KUBE-APISERVER-FLAGS]
//
// It prints "kubeconfig PATH" and "ready", and ends at exit or the end of its input. Until then each line of
// its input is a command, answered by "ok" or "error: …": stop and start (kube-apiserver), stop-etcd and
// start-etcd, pause and continue (SIGSTOP, SIGCONT), compact (etcd forgets the past), apply PATH,
// create PATH, status PATH (of objects that exist), pids,
// asked FILE (writes the paths that ngf-tui asked for), read FILE (sends these requests: a bare read).
//
// Where KUBEBUILDER_ASSETS is set, the programs are those of that folder.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
)

// auditPolicy logs who asked for what: tests read it in audit.log.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
omitManagedFields: true
rules:
- {level: None, users: ["system:apiserver"]}
- {level: Metadata}
`

type list []string

func (l *list) String() string { return strings.Join(*l, " ") }

func (l *list) Set(value string) error {
	*l = append(*l, value)
	return nil
}

func main() {
	if len(os.Args) > 1 {
		if run := embedded(os.Args[1]); run != nil {
			os.Exit(run(os.Args[2:]))
		}
	}
	// The children end when the thread that started them does.
	runtime.LockOSThread()
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run() error {
	var manifests list
	s := servers{assets: os.Getenv("KUBEBUILDER_ASSETS")}
	flag.StringVar(&s.folder, "data", "", "folder of the data, the keys, the logs and the kubeconfig; a temporary one if empty")
	flag.IntVar(&s.port, "port", 0, "port of the API server on 127.0.0.1; 0 takes a free one")
	flag.Var(&manifests, "apply", "manifests to apply before it is ready; may be given more than once")
	flag.Parse()
	s.extra = flag.Args()
	if s.folder == "" {
		folder, err := os.MkdirTemp("", "ngf-tui-apiserver-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(folder)
		s.folder = folder
	}
	for _, port := range []*int{&s.port, &s.etcdPort, &s.peerPort} {
		if *port == 0 {
			free, err := freePort()
			if err != nil {
				return err
			}
			*port = free
		}
	}
	if err := pki(s.path("pki")); err != nil {
		return err
	}
	for name, text := range map[string]string{"tokens.csv": tokens(), "audit.yaml": auditPolicy} {
		if err := os.WriteFile(s.path(name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	if err := writeKubeconfig(s.path("kubeconfig"), s.path("pki"), s.port); err != nil {
		return err
	}
	client, err := newClient(s.path("pki"), s.port)
	if err != nil {
		return err
	}
	s.client = client
	defer func() { s.apiserver.kill(); s.etcd.kill() }()
	if err := s.startEtcd(); err != nil {
		return err
	}
	if err := s.startAPIServer(); err != nil {
		return err
	}
	for _, path := range manifests {
		if err := client.write(path, apply); err != nil {
			return err
		}
	}
	fmt.Printf("kubeconfig %s\nready\n", s.path("kubeconfig"))
	input := bufio.NewScanner(os.Stdin)
	for input.Scan() {
		if input.Text() == "exit" {
			return nil
		}
		answer, err := s.command(input.Text())
		if err != nil {
			fmt.Println("error:", strings.ReplaceAll(err.Error(), "\n", " "))
		} else {
			fmt.Println(strings.TrimSpace("ok " + answer))
		}
	}
	return input.Err()
}

func (s *servers) command(line string) (string, error) {
	word, rest, _ := strings.Cut(line, " ")
	switch word {
	case "stop":
		s.apiserver.kill()
		return "", nil
	case "start":
		return "", s.startAPIServer()
	case "stop-etcd":
		s.etcd.kill()
		return "", nil
	case "start-etcd":
		return "", s.startEtcd()
	case "pause":
		return "", s.apiserver.signal(syscall.SIGSTOP)
	case "continue":
		return "", s.apiserver.signal(syscall.SIGCONT)
	case "compact":
		return "", s.compact()
	case "apply":
		return "", s.client.write(rest, apply)
	case "create":
		return "", s.client.write(rest, create)
	case "status":
		return "", s.client.write(rest, status)
	case "asked":
		return s.asked(rest)
	case "read":
		return s.client.bareRead(rest)
	case "pids":
		return fmt.Sprintf("%d %d", s.apiserver.command.Process.Pid, s.etcd.command.Process.Pid), nil
	}
	return "", fmt.Errorf("no command %q", line)
}
