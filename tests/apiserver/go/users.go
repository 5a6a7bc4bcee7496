package main

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// users have a token and a context each; rbac.yaml says what they may do. admin is in system:masters.
var users = []string{"admin", "reader", "prober", "viewer", "dev", "nobody"}

func token(user string) string { return "ngf-tui-test-" + user }

// tokens is the file of --token-auth-file: token,user,uid,groups.
func tokens() string {
	var text strings.Builder
	for _, user := range users {
		fmt.Fprintf(&text, "%s,%s,%s", token(user), user, user)
		if user == "admin" {
			text.WriteString(`,"system:masters"`)
		}
		text.WriteByte('\n')
	}
	return text.String()
}

// writeKubeconfig writes a kubeconfig with a context for each user, and one with an unknown token.
func writeKubeconfig(path, pkiFolder string, port int) error {
	ca, err := os.ReadFile(filepath.Join(pkiFolder, "ca.crt"))
	if err != nil {
		return err
	}
	var text strings.Builder
	fmt.Fprintf(&text, "apiVersion: v1\nkind: Config\ncurrent-context: admin\nclusters:\n"+
		"- name: test\n  cluster:\n    server: https://127.0.0.1:%d\n    certificate-authority-data: %s\nusers:\n",
		port, base64.StdEncoding.EncodeToString(ca))
	all := append([]string{"stranger"}, users...)
	for _, user := range all {
		fmt.Fprintf(&text, "- name: %s\n  user: {token: %s}\n", user, token(user))
	}
	text.WriteString("contexts:\n")
	for _, user := range all {
		fmt.Fprintf(&text, "- name: %s\n  context: {cluster: test, user: %s, namespace: default}\n", user, user)
	}
	return os.WriteFile(path, []byte(text.String()), 0o600)
}
