package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// servers are etcd and kube-apiserver, each a process of its own, so that each can be stopped.
type servers struct {
	folder    string
	assets    string
	port      int
	etcdPort  int
	peerPort  int
	extra     []string
	etcd      *child
	apiserver *child
	client    *client
}

type child struct {
	command *exec.Cmd
	ended   chan struct{}
}

func (s *servers) path(name string) string { return filepath.Join(s.folder, name) }

// program returns the command of etcd or kube-apiserver: that of KUBEBUILDER_ASSETS, or this program.
func (s *servers) program(name string) (string, []string, error) {
	if s.assets != "" {
		return filepath.Join(s.assets, name), nil, nil
	}
	if embedded(name) == nil {
		return "", nil, fmt.Errorf("this program was built without %s: set KUBEBUILDER_ASSETS", name)
	}
	self, err := os.Executable()
	return self, []string{name}, err
}

// launch starts a server whose output goes to NAME.log. The kernel ends it with this program.
func (s *servers) launch(name string, arguments ...string) (*child, error) {
	program, before, err := s.program(name)
	if err != nil {
		return nil, err
	}
	log, err := os.OpenFile(s.path(name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	command := exec.Command(program, append(before, arguments...)...)
	command.Stdout, command.Stderr = log, log
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if err := command.Start(); err != nil {
		return nil, err
	}
	started := &child{command: command, ended: make(chan struct{})}
	go func() {
		_ = command.Wait()
		close(started.ended)
	}()
	return started, nil
}

func (c *child) kill() {
	if c == nil {
		return
	}
	_ = c.command.Process.Kill()
	<-c.ended
}

func (c *child) signal(signal syscall.Signal) error {
	if c == nil {
		return errors.New("it is not running")
	}
	return c.command.Process.Signal(signal)
}

func (c *child) alive(name string) error {
	select {
	case <-c.ended:
		return fmt.Errorf("%s ended: %s", name, c.command.ProcessState)
	default:
		return nil
	}
}

func (s *servers) etcdURL() string { return "http://127.0.0.1:" + strconv.Itoa(s.etcdPort) }

func (s *servers) startEtcd() error {
	peer := "http://127.0.0.1:" + strconv.Itoa(s.peerPort)
	started, err := s.launch("etcd", "--name=test", "--data-dir="+s.path("etcd"), "--unsafe-no-fsync", "--log-level=warn",
		// As kubeadm has it: the API server's bookmarks are as young as this.
		"--experimental-watch-progress-notify-interval=5s",
		"--listen-client-urls="+s.etcdURL(), "--advertise-client-urls="+s.etcdURL(),
		"--listen-peer-urls="+peer, "--initial-advertise-peer-urls="+peer, "--initial-cluster=test="+peer)
	if err != nil {
		return err
	}
	s.etcd = started
	return s.until(started, "etcd", func() error { return get(http.DefaultClient, s.etcdURL()+"/health", "") })
}

func (s *servers) startAPIServer() error {
	arguments := []string{
		"--bind-address=127.0.0.1", "--secure-port=" + strconv.Itoa(s.port),
		"--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none",
		"--etcd-servers=" + s.etcdURL(),
		"--tls-cert-file=" + s.path("pki/apiserver.crt"), "--tls-private-key-file=" + s.path("pki/apiserver.key"),
		"--token-auth-file=" + s.path("tokens.csv"), "--authorization-mode=RBAC",
		// No controller manager makes the ServiceAccounts that Pods need.
		"--disable-admission-plugins=ServiceAccount",
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + s.path("pki/sa.key"), "--service-account-signing-key-file=" + s.path("pki/sa.key"),
		"--service-cluster-ip-range=10.96.0.0/12", "--allow-privileged=true", "--profiling=false",
		"--audit-policy-file=" + s.path("audit.yaml"), "--audit-log-path=" + s.path("audit.log"),
	}
	started, err := s.launch("kube-apiserver", append(arguments, s.extra...)...)
	if err != nil {
		return err
	}
	s.apiserver = started
	return s.until(started, "kube-apiserver", func() error {
		return get(&s.client.http, s.client.base+"/readyz", token("admin"))
	})
}

// until waits until a server answers, or has ended.
func (s *servers) until(server *child, name string, is func() error) error {
	var ended error
	err := until(name+" is ready (see "+s.path(name+".log")+")", func() error {
		if ended = server.alive(name); ended != nil {
			return nil
		}
		return is()
	})
	if ended != nil {
		return fmt.Errorf("%w: see %s", ended, s.path(name+".log"))
	}
	return err
}

func get(client *http.Client, url, token string) error {
	request, err := http.NewRequest("GET", url, nil)
	if err != nil {
		return err
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return errors.New(answer.Status)
	}
	return nil
}

// compact makes etcd forget everything but the present: what began before is then 410 Gone.
func (s *servers) compact() error {
	// Any key will do: the header of each answer holds the revision.
	answer, err := s.ask("/v3/kv/range", map[string]any{"key": "AA=="})
	if err != nil {
		return err
	}
	_, err = s.ask("/v3/kv/compaction", map[string]any{"revision": answer.Header.Revision, "physical": true})
	return err
}

type etcdAnswer struct {
	Header struct {
		Revision string `json:"revision"`
	} `json:"header"`
}

func (s *servers) ask(path string, question map[string]any) (etcdAnswer, error) {
	var parsed etcdAnswer
	body, err := json.Marshal(question)
	if err != nil {
		return parsed, err
	}
	client := http.Client{Timeout: 30 * time.Second}
	answer, err := client.Post(s.etcdURL()+path, "application/json", bytes.NewReader(body))
	if err != nil {
		return parsed, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return parsed, fmt.Errorf("etcd %s: %s", path, answer.Status)
	}
	return parsed, json.NewDecoder(answer.Body).Decode(&parsed)
}

func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}

type etcdFlags struct{ name, dataDir, client, peer string }

// parseEtcdFlags reads the flags that startEtcd gives.
func parseEtcdFlags(arguments []string) (etcdFlags, error) {
	var parsed etcdFlags
	flags := flag.NewFlagSet("etcd", flag.ContinueOnError)
	flags.StringVar(&parsed.name, "name", "", "")
	flags.StringVar(&parsed.dataDir, "data-dir", "", "")
	flags.StringVar(&parsed.client, "listen-client-urls", "", "")
	flags.StringVar(&parsed.peer, "listen-peer-urls", "", "")
	flags.Bool("unsafe-no-fsync", true, "")
	for _, same := range []string{"log-level", "experimental-watch-progress-notify-interval", "advertise-client-urls", "initial-advertise-peer-urls", "initial-cluster"} {
		flags.String(same, "", "")
	}
	return parsed, flags.Parse(arguments)
}
