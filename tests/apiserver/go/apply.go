package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"time"

	"sigs.k8s.io/yaml"
)

// client talks to the API server as admin.
type client struct {
	base string
	http http.Client
	// collections are known for the time of one write.
	collections map[string]collection
}

func newClient(pkiFolder string, port int) (*client, error) {
	ca, err := os.ReadFile(filepath.Join(pkiFolder, "ca.crt"))
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(ca) {
		return nil, errors.New("ca.crt holds no certificate")
	}
	return &client{
		base: fmt.Sprintf("https://127.0.0.1:%d", port),
		http: http.Client{
			Timeout:   30 * time.Second,
			Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, MaxIdleConnsPerHost: workers},
		},
	}, nil
}

func (c *client) do(method, path, contentType string, body []byte) ([]byte, error) {
	request, err := http.NewRequest(method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+token("admin"))
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	answer, err := c.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode >= 300 {
		return nil, fmt.Errorf("%s %s: %s: %.500s", method, path, answer.Status, text)
	}
	return text, nil
}

// object is what apply has to know of a manifest.
type object struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Metadata   struct {
		Name      string `json:"name"`
		Namespace string `json:"namespace"`
	} `json:"metadata"`
	Status json.RawMessage `json:"status"`
	json   []byte
}

var separator = regexp.MustCompile(`(?m)^---\s*$`)

// manifests reads a file, or every .yaml file of a folder but its kustomization.
func manifests(path string) ([]object, error) {
	paths := []string{path}
	if info, err := os.Stat(path); err != nil {
		return nil, err
	} else if info.IsDir() {
		if paths, err = filepath.Glob(filepath.Join(path, "*.yaml")); err != nil {
			return nil, err
		}
		sort.Strings(paths)
	}
	var objects []object
	for _, path := range paths {
		if filepath.Base(path) == "kustomization.yaml" {
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		for _, document := range separator.Split(string(text), -1) {
			asJSON, err := yaml.YAMLToJSON([]byte(document))
			if err != nil {
				return nil, fmt.Errorf("%s: %w", path, err)
			}
			one := object{json: asJSON}
			if string(asJSON) == "null" {
				continue
			}
			if err := json.Unmarshal(asJSON, &one); err != nil {
				return nil, fmt.Errorf("%s: %w", path, err)
			}
			objects = append(objects, one)
		}
	}
	return objects, nil
}

// collection returns where the API server keeps objects of the kind, and whether they have a namespace.
func (c *client) collection(apiVersion, kind string) (collection, error) {
	key := apiVersion + " " + kind
	if known, ok := c.collections[key]; ok {
		return known, nil
	}
	root := "/apis/" + apiVersion
	if !strings.Contains(apiVersion, "/") {
		root = "/api/" + apiVersion
	}
	answer, err := c.do("GET", root, "", nil)
	if err != nil {
		return collection{}, err
	}
	var list struct {
		Resources []struct {
			Name, Kind string
			Namespaced bool
		}
	}
	if err := json.Unmarshal(answer, &list); err != nil {
		return collection{}, err
	}
	for _, resource := range list.Resources {
		if resource.Kind == kind && !strings.Contains(resource.Name, "/") {
			found := collection{root, resource.Name, resource.Namespaced}
			c.collections[key] = found
			return found, nil
		}
	}
	return collection{}, fmt.Errorf("the API server serves no %s %s", apiVersion, kind)
}

type collection struct {
	root, plural string
	namespaced   bool
}

// path returns the path of the collection in which the object is.
func (c collection) path(one object) string {
	if !c.namespaced {
		return c.root + "/" + c.plural
	}
	namespace := one.Metadata.Namespace
	if namespace == "" {
		namespace = "default"
	}
	return c.root + "/namespaces/" + namespace + "/" + c.plural
}

// how says how objects are written.
type how int

const (
	// apply is kubectl apply --server-side --force-conflicts, and .status by the status subresource.
	apply how = iota
	// create is kubectl create, and .status by the status subresource.
	create
	// status writes .status alone.
	status
)

// workers send requests at once where there are many objects.
const workers = 12

// write writes the manifests of a file or folder, and waits until CustomResourceDefinitions are served. What
// others live in comes first, one by one.
func (c *client) write(path string, how how) error {
	objects, err := manifests(path)
	if err != nil {
		return err
	}
	if len(objects) == 0 {
		return fmt.Errorf("%s holds no manifest", path)
	}
	c.collections = map[string]collection{}
	var later []func() error
	for _, one := range objects {
		in, err := c.collection(one.APIVersion, one.Kind)
		if err != nil {
			return err
		}
		send := func() error { return c.send(in.path(one), one, how) }
		switch one.Kind {
		case "Namespace", "CustomResourceDefinition":
			if err := send(); err != nil {
				return err
			}
		default:
			later = append(later, send)
		}
	}
	if err := all(later); err != nil {
		return err
	}
	for _, one := range objects {
		if one.Kind != "CustomResourceDefinition" {
			continue
		}
		at := "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/" + one.Metadata.Name
		if err := until("CustomResourceDefinition "+one.Metadata.Name+" is established", func() error { return c.established(at) }); err != nil {
			return err
		}
	}
	return nil
}

// send writes one object, and then its status.
func (c *client) send(collection string, one object, how how) error {
	at := collection + "/" + one.Metadata.Name
	const query, patch = "?fieldManager=ngf-tui-tests&force=true", "application/apply-patch+yaml"
	var err error
	switch how {
	case create:
		_, err = c.do("POST", collection, "application/json", one.json)
	case apply:
		_, err = c.do("PATCH", at+query, patch, one.json)
	}
	if err == nil && one.Status != nil && one.Kind != "CustomResourceDefinition" {
		_, err = c.do("PATCH", at+"/status"+query, patch, one.json)
	}
	return err
}

// all calls the functions, some of them at once, and returns an error of one.
func all(calls []func() error) error {
	next := make(chan func() error)
	failed := make(chan error, workers)
	for range workers {
		go func() {
			var first error
			for call := range next {
				if err := call(); err != nil && first == nil {
					first = err
				}
			}
			failed <- first
		}()
	}
	for _, call := range calls {
		next <- call
	}
	close(next)
	var first error
	for range workers {
		if err := <-failed; err != nil && first == nil {
			first = err
		}
	}
	return first
}

// established returns nil where the definition is established and each of its versions can be listed: for a
// moment after a change the API server answers "storage is (re)initializing".
func (c *client) established(path string) error {
	answer, err := c.do("GET", path, "", nil)
	if err != nil {
		return err
	}
	var crd struct {
		Spec struct {
			Group    string
			Names    struct{ Plural string }
			Versions []struct {
				Name   string
				Served bool
			}
		}
		Status struct {
			Conditions []struct{ Type, Status string }
		}
	}
	if err := json.Unmarshal(answer, &crd); err != nil {
		return err
	}
	is := false
	for _, condition := range crd.Status.Conditions {
		is = is || condition.Type == "Established" && condition.Status == "True"
	}
	if !is {
		return errors.New("not established")
	}
	for _, version := range crd.Spec.Versions {
		if !version.Served {
			continue
		}
		list := "/apis/" + crd.Spec.Group + "/" + version.Name + "/" + crd.Spec.Names.Plural + "?limit=1"
		if _, err := c.do("GET", list, "", nil); err != nil {
			return err
		}
	}
	return nil
}

// until waits up to two minutes, also on a busy machine.
func until(what string, is func() error) error {
	var err error
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if err = is(); err == nil {
			return nil
		}
	}
	return fmt.Errorf("waited two minutes until %s: %w", what, err)
}
