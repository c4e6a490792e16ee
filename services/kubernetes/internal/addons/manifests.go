package addons

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

//go:embed objects
var manifests embed.FS

// Who owns the fields that are applied (server-side apply).
const manager = "thole-addons"

// target applies and deletes objects of any kind.
type target struct {
	client dynamic.Interface
	mapper meta.RESTMapper
}

func newTarget(config *rest.Config) (*target, error) {
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	kinds, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, err
	}
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(kinds))
	return &target{client: client, mapper: mapper}, nil
}

// objectsOf reads a manifest, with values in place of its ${NAMES}.
func objectsOf(name string, values map[string]string) ([]*unstructured.Unstructured, error) {
	content, err := manifests.ReadFile("objects/" + name + ".yaml")
	if err != nil {
		return nil, err
	}
	missing := ""
	text := os.Expand(string(content), func(key string) string {
		value, known := values[key]
		if !known {
			missing = key
		}
		return value
	})
	if missing != "" {
		return nil, fmt.Errorf("%s.yaml asks for ${%s}, which is not known", name, missing)
	}
	var found []*unstructured.Unstructured
	decoder := yaml.NewYAMLOrJSONDecoder(strings.NewReader(text), 1<<16)
	for {
		object := &unstructured.Unstructured{}
		err := decoder.Decode(object)
		if errors.Is(err, io.EOF) {
			return found, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s.yaml: %w", name, err)
		}
		found = append(found, object)
	}
}

// apply makes the objects what they are here; what others have added stays.
func (t *target) apply(objects []*unstructured.Unstructured) error {
	for _, object := range objects {
		resource, err := t.resource(object)
		if err != nil {
			return err
		}
		options := metav1.ApplyOptions{FieldManager: manager, Force: true}
		if _, err := resource.Apply(context.Background(), object.GetName(), object, options); err != nil {
			return fmt.Errorf("%s %s: %w", object.GetKind(), object.GetName(), err)
		}
	}
	return nil
}

// remove takes them away, the last one first; what is not there is no error.
func (t *target) remove(objects []*unstructured.Unstructured) error {
	for index := len(objects) - 1; index >= 0; index-- {
		resource, err := t.resource(objects[index])
		if err != nil {
			return err
		}
		err = resource.Delete(context.Background(), objects[index].GetName(), metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("remove %s %s: %w", objects[index].GetKind(), objects[index].GetName(), err)
		}
	}
	return nil
}

func (t *target) resource(object *unstructured.Unstructured) (dynamic.ResourceInterface, error) {
	kind := object.GroupVersionKind()
	mapping, err := t.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", object.GetKind(), object.GetName(), err)
	}
	if mapping.Scope.Name() == meta.RESTScopeNameNamespace {
		return t.client.Resource(mapping.Resource).Namespace(object.GetNamespace()), nil
	}
	return t.client.Resource(mapping.Resource), nil
}
