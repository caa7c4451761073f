package main

import (
	"fmt"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// assemble makes an image of a configuration, whose history has an entry for
// each layer, and the layers. A docker archive has no manifest: whoever reads an
// image back from one comes by the same digest here.
func assemble(config *v1.ConfigFile, layers []v1.Layer) (v1.Image, error) {
	bare := config.DeepCopy()
	bare.History, bare.RootFS.DiffIDs = nil, nil
	image, err := mutate.ConfigFile(mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON), bare)
	if err != nil {
		return nil, err
	}
	var additions []mutate.Addendum
	for i, layer := range layers {
		mediaType, err := layer.MediaType()
		if err != nil {
			return nil, err
		}
		if mediaType == types.DockerLayer {
			mediaType = types.OCILayer
		}
		additions = append(additions, mutate.Addendum{Layer: layer, History: config.History[i], MediaType: mediaType})
	}
	if image, err = mutate.Append(image, additions...); err != nil {
		return nil, err
	}
	return mutate.Annotations(image, annotations(config.Config.Labels)).(v1.Image), nil
}

// annotations are the labels that OCI gives a meaning to: registries read those
// of the manifest, engines those of the configuration.
func annotations(labels map[string]string) map[string]string {
	var found map[string]string
	for key, value := range labels {
		if !strings.HasPrefix(key, "org.opencontainers.image.") {
			continue
		}
		if found == nil {
			found = map[string]string{}
		}
		found[key] = value
	}
	return found
}

// describe returns the line that describes an image.
func describe(tag name.Tag, platform string, image v1.Image) (string, error) {
	digest, err := image.Digest()
	if err != nil {
		return "", err
	}
	size, err := sizeOf(image)
	if err != nil {
		return "", err
	}
	return line(tag, platform, size, digest), nil
}

// sizeOf is what a registry stores of an image but its manifest.
func sizeOf(image v1.Image) (int64, error) {
	manifest, err := image.Manifest()
	if err != nil {
		return 0, err
	}
	size := manifest.Config.Size
	for _, layer := range manifest.Layers {
		size += layer.Size
	}
	return size, nil
}

func line(tag name.Tag, platform string, size int64, digest v1.Hash) string {
	return fmt.Sprintf("%s %s %.1fMB %s", tag, platform, float64(size)/1e6, digest)
}
