//go:build !assets

package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/signal"
	"syscall"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
)

// embedded returns what this program runs as when its first argument is name, or nil.
func embedded(name string) func(arguments []string) int {
	switch name {
	case "kube-apiserver":
		return func(arguments []string) int {
			command := app.NewAPIServerCommand()
			command.SetArgs(arguments)
			return cli.Run(command)
		}
	case "etcd":
		return func(arguments []string) int {
			if err := etcd(arguments); err != nil {
				fmt.Fprintln(os.Stderr, "etcd:", err)
				return 1
			}
			return 0
		}
	}
	return nil
}

// etcd runs a server with one member until a signal comes.
func etcd(arguments []string) error {
	given, err := parseEtcdFlags(arguments)
	if err != nil {
		return err
	}
	config := embed.NewConfig()
	config.Name = given.name
	config.Dir = given.dataDir
	config.UnsafeNoFsync = true
	config.LogLevel = "warn"
	config.WatchProgressNotifyInterval = 5 * time.Second
	client, err := url.Parse(given.client)
	if err != nil {
		return err
	}
	peer, err := url.Parse(given.peer)
	if err != nil {
		return err
	}
	config.ListenClientUrls = []url.URL{*client}
	config.AdvertiseClientUrls = []url.URL{*client}
	config.ListenPeerUrls = []url.URL{*peer}
	config.AdvertisePeerUrls = []url.URL{*peer}
	config.InitialCluster = given.name + "=" + given.peer
	server, err := embed.StartEtcd(config)
	if err != nil {
		return err
	}
	defer server.Close()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	select {
	case <-server.Server.ReadyNotify():
	case <-time.After(time.Minute):
		return errors.New("not ready after a minute")
	case <-ctx.Done():
		return nil
	}
	select {
	case err := <-server.Err():
		return err
	case <-ctx.Done():
		return nil
	}
}
