// Package controller: this file is put beside NGF's own, in `internal/controller`, by `record`. It asks
// NGF's code what NGF would answer to a set of objects: the statuses that it would write
// (`status.Prepare…Requests`) and the files that it would send to nginx (`config.Generator`). Nothing of
// the decision is here; what differs between releases (a parameter more, a field more) is filled in by type.
package controller

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"sort"
	"strings"

	"github.com/go-logr/logr"
	discoveryV1 "k8s.io/api/discovery/v1"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structural "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	k8sEvents "k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/gateway-api/pkg/consts"
	"sigs.k8s.io/yaml"

	"github.com/nginx/nginx-gateway-fabric/v2/internal/controller/config"
	ngxConfig "github.com/nginx/nginx-gateway-fabric/v2/internal/controller/nginx/config"
	ngxvalidation "github.com/nginx/nginx-gateway-fabric/v2/internal/controller/nginx/config/validation"
	"github.com/nginx/nginx-gateway-fabric/v2/internal/controller/state"
	"github.com/nginx/nginx-gateway-fabric/v2/internal/controller/state/dataplane"
	"github.com/nginx/nginx-gateway-fabric/v2/internal/controller/state/graph"
	"github.com/nginx/nginx-gateway-fabric/v2/internal/controller/state/resolver"
	"github.com/nginx/nginx-gateway-fabric/v2/internal/controller/state/validation"
	"github.com/nginx/nginx-gateway-fabric/v2/internal/controller/status"
	"github.com/nginx/nginx-gateway-fabric/v2/internal/framework/controller/index"
	"github.com/nginx/nginx-gateway-fabric/v2/internal/framework/kinds"
)

const answersController = "gateway.nginx.org/nginx-gateway-controller"

// question is a line of the input.
type question struct {
	Name         string `json:"name"`
	Experimental bool   `json:"experimental"`
	// Bundle is the version of the installed Gateway API CRDs, where it is not the release's own.
	Bundle  string            `json:"bundle"`
	Objects []json.RawMessage `json:"objects"`
}

// answer is a line of the output.
type answer struct {
	Name string `json:"name"`
	// Statuses by kind/namespace/name.
	Statuses map[string]any `json:"statuses"`
	// Files of nginx by Gateway, without those that hold certificates or keys.
	Files map[string]map[string]string `json:"files"`
	// Objects that this release does not read, or not as they are.
	Unread []string `json:"unread"`
	// Error where NGF's code panicked.
	Error string `json:"error,omitempty"`
}

// Answers reads questions, one in a line, and writes an answer for each.
// The objects are first taken in as an API server with the release's own CRDs would: fields that it does
// not know are dropped, defaults filled in. `crds` is a folder of CRDs.
func Answers(crds string, in io.Reader, out io.Writer) error {
	server, err := readServer(crds)
	if err != nil {
		return err
	}
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 256<<20)
	encoder := json.NewEncoder(out)
	for lines.Scan() {
		var asked question
		if err := json.Unmarshal(lines.Bytes(), &asked); err != nil {
			return fmt.Errorf("a question: %w", err)
		}
		if err := encoder.Encode(answerTo(asked, server)); err != nil {
			return err
		}
	}
	return lines.Err()
}

func answerTo(asked question, server *server) (given answer) {
	given = answer{Name: asked.Name, Statuses: map[string]any{}, Files: map[string]map[string]string{}}
	defer func() {
		if cause := recover(); cause != nil {
			given.Error = fmt.Sprint(cause)
		}
	}()
	ctx, logger := context.Background(), logr.Discard()
	prototypes := prototypesOf(reflect.TypeOf(graph.ClusterState{}))
	endpoints := fake.NewClientBuilder().WithScheme(scheme).
		WithIndex(&discoveryV1.EndpointSlice{}, index.KubernetesServiceNameIndexField, index.ServiceNameIndexFunc)

	extract := kinds.NewMustExtractGKV(scheme)
	cfg := state.ChangeProcessorConfig{
		GatewayCtlrName:  answersController,
		GatewayClassName: "nginx",
		Logger:           logger,
		EventRecorder:    &k8sEvents.FakeRecorder{},
		MustExtractGVK:   extract,
	}
	generic := ngxvalidation.GenericValidator{}
	cfg.Validators = validation.Validators{
		HTTPFieldsValidator: ngxvalidation.HTTPValidator{},
		GenericValidator:    generic,
		PolicyValidator:     createPolicyManager(extract, generic, config.Config{}),
	}
	setField(&cfg.Validators, "AuthFieldsValidator", authFields())
	cfg.FeatureFlags.Experimental = asked.Experimental
	discovered := map[string]bool{}
	for kind := range prototypes {
		discovered[kind] = true
	}
	setField(&cfg, "DiscoveredCRDs", discovered)
	setField(&cfg, "ClusterDomain", "cluster.local")
	processor := state.NewChangeProcessorImpl(cfg)

	for _, definition := range server.definitions {
		installed := definition.DeepCopy()
		if asked.Bundle != "" {
			installed.Annotations[consts.BundleVersionAnnotation] = asked.Bundle
		}
		processor.CaptureUpsertChange(installed)
	}
	objects := map[string]client.Object{}
	for _, raw := range asked.Objects {
		raw = server.takeIn(raw)
		var head metav1.PartialObjectMetadata
		if err := json.Unmarshal(raw, &head); err != nil {
			given.Unread = append(given.Unread, err.Error())
			continue
		}
		name := fmt.Sprintf("%s/%s/%s", head.Kind, head.Namespace, head.Name)
		if head.Kind == "EndpointSlice" {
			slice := &discoveryV1.EndpointSlice{}
			if err := json.Unmarshal(raw, slice); err == nil {
				endpoints = endpoints.WithObjects(slice)
			}
			continue
		}
		prototype, known := prototypes[head.Kind]
		if !known || experimentalKinds[head.Kind] && !asked.Experimental {
			continue
		}
		object := reflect.New(prototype).Interface().(client.Object)
		if group := head.GroupVersionKind().Group; extract(object).Group != group {
			continue
		}
		if err := json.Unmarshal(raw, object); err != nil {
			given.Unread = append(given.Unread, name+": "+err.Error())
			continue
		}
		// NGF's watch passes over classes of other controllers.
		if class, ok := object.(*gatewayv1.GatewayClass); ok && class.Spec.ControllerName != answersController {
			continue
		}
		objects[name] = object
		processor.CaptureUpsertChange(object.DeepCopyObject().(client.Object))
		// NGF reads nothing of statuses but the ancestors of policies; what it writes is all that is asked for.
		clearStatus(object)
	}

	found := call(processor.Process, ctx)[0].Interface().(*graph.Graph)
	if found == nil {
		return given
	}
	given.write(requests(found), objects)

	services := resolver.NewServiceResolverImpl(endpoints.Build())
	generator := ngxConfig.NewGeneratorImpl(false, nil, logger)
	for name, gateway := range found.Gateways {
		address := []gatewayv1.GatewayStatusAddress{{Value: "192.0.2.1"}}
		given.write(status.PrepareGatewayRequests(gateway, metav1.Time{}, address, graph.NginxReloadResult{}), objects)
		if !gateway.Valid || len(gateway.Listeners) == 0 {
			continue
		}
		built := call(dataplane.BuildConfiguration, ctx, logger, found, gateway, services)[0].Interface()
		files := map[string]string{}
		for _, file := range generator.Generate(built.(dataplane.Configuration)) {
			if path := file.Meta.GetName(); strings.HasSuffix(path, ".conf") {
				files[path] = string(file.Contents)
			}
		}
		given.Files[name.String()] = files
	}
	sort.Strings(given.Unread)
	return given
}

func requests(found *graph.Graph) []status.UpdateRequest {
	at := metav1.Time{}
	all := status.PrepareGatewayClassRequests(found.GatewayClass, found.IgnoredGatewayClasses, at)
	if len(found.Gateways) == 0 {
		return all
	}
	all = append(all, status.PrepareRouteRequests(found.L4Routes, found.Routes, at, answersController)...)
	all = append(all, status.PrepareBackendTLSPolicyRequests(found.BackendTLSPolicies, at, answersController)...)
	return append(all, listenerSets(found)...)
}

// write runs the setters, as NGF's status updater does.
func (given *answer) write(requests []status.UpdateRequest, objects map[string]client.Object) {
	for _, request := range requests {
		kind := reflect.TypeOf(request.ResourceType).Elem().Name()
		key := fmt.Sprintf("%s/%s/%s", kind, request.NsName.Namespace, request.NsName.Name)
		object, known := objects[key]
		if !known || !request.Setter(object) {
			continue
		}
		given.Statuses[key] = reflect.ValueOf(object).Elem().FieldByName("Status").Interface()
	}
}

// prototypesOf finds the types that a release keeps of each kind, in its own cluster state.
func prototypesOf(state reflect.Type) map[string]reflect.Type {
	object := reflect.TypeOf((*client.Object)(nil)).Elem()
	key := reflect.TypeOf(types.NamespacedName{})
	all := map[string]reflect.Type{}
	for i := range state.NumField() {
		field := state.Field(i).Type
		if field.Kind() != reflect.Map || field.Key() != key || field.Elem().Kind() != reflect.Pointer {
			continue
		}
		if kept := field.Elem(); kept.Implements(object) && kept.Elem().Kind() == reflect.Struct {
			all[kept.Elem().Name()] = kept.Elem()
		}
	}
	delete(all, "PartialObjectMetadata")
	delete(all, "Unstructured")
	return all
}

func clearStatus(object client.Object) {
	field := reflect.ValueOf(object).Elem().FieldByName("Status")
	if field.IsValid() {
		field.SetZero()
	}
}

func setField(target any, name string, value any) {
	field := reflect.ValueOf(target).Elem().FieldByName(name)
	if field.IsValid() && value != nil {
		field.Set(reflect.ValueOf(value))
	}
}

// call gives a function the values that fit its parameters by type, and zero where none does.
func call(function any, values ...any) []reflect.Value {
	asked := reflect.TypeOf(function)
	given := make([]reflect.Value, 0, asked.NumIn())
	for i := range asked.NumIn() {
		parameter := asked.In(i)
		argument := reflect.Zero(parameter)
		for _, value := range values {
			if reflect.TypeOf(value).AssignableTo(parameter) {
				argument = reflect.ValueOf(value)
				break
			}
		}
		given = append(given, argument)
	}
	return reflect.ValueOf(function).Call(given)
}

// server is what an API server knows of kinds.
type server struct {
	// By "apiVersion kind".
	schemas map[string]*structural.Structural
	// The CRDs of Gateway API.
	definitions []*metav1.PartialObjectMetadata
}

func readServer(folder string) (*server, error) {
	all := &server{schemas: map[string]*structural.Structural{}}
	files, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		for _, document := range strings.Split(string(text), "\n---") {
			if err := all.add([]byte(document)); err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
		}
	}
	if len(all.definitions) == 0 {
		return nil, fmt.Errorf("no CRDs in %s", folder)
	}
	return all, nil
}

func (all *server) add(document []byte) error {
	var definition apiextensionsv1.CustomResourceDefinition
	if err := yaml.Unmarshal(document, &definition); err != nil {
		return err
	}
	if definition.Kind != "CustomResourceDefinition" {
		return nil
	}
	if _, ours := definition.Annotations[consts.BundleVersionAnnotation]; ours {
		all.definitions = append(all.definitions, &metav1.PartialObjectMetadata{
			TypeMeta:   definition.TypeMeta,
			ObjectMeta: metav1.ObjectMeta{Name: definition.Name, Annotations: definition.Annotations},
		})
	}
	for _, version := range definition.Spec.Versions {
		if version.Schema == nil {
			continue
		}
		var props apiextensions.JSONSchemaProps
		err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(
			version.Schema.OpenAPIV3Schema, &props, nil)
		if err != nil {
			return err
		}
		schema, err := structural.NewStructural(&props)
		if err != nil {
			return err
		}
		key := fmt.Sprintf("%s/%s %s", definition.Spec.Group, version.Name, definition.Spec.Names.Kind)
		all.schemas[key] = schema
	}
	return nil
}

// takeIn drops unknown fields and fills in defaults.
func (all *server) takeIn(raw json.RawMessage) json.RawMessage {
	var object map[string]any
	if err := json.Unmarshal(raw, &object); err != nil {
		return raw
	}
	if object["kind"] == "Secret" {
		encodeStrings(object)
	}
	if schema, known := all.schemas[fmt.Sprintf("%v %v", object["apiVersion"], object["kind"])]; known {
		pruning.Prune(object, schema, true)
		defaulting.PruneNonNullableNullsWithoutDefaults(object, schema)
		defaulting.Default(object, schema)
	}
	taken, err := json.Marshal(object)
	if err != nil {
		return raw
	}
	return taken
}

// encodeStrings puts `stringData` of a Secret into `data`.
func encodeStrings(secret map[string]any) {
	texts, _ := secret["stringData"].(map[string]any)
	delete(secret, "stringData")
	data, _ := secret["data"].(map[string]any)
	if data == nil {
		data = map[string]any{}
	}
	for key, text := range texts {
		if text, ok := text.(string); ok {
			data[key] = base64.StdEncoding.EncodeToString([]byte(text))
		}
	}
	secret["data"] = data
}
