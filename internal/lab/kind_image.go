package lab

import (
	"archive/tar"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"sigs.k8s.io/kind/pkg/apis/config/defaults"
)

// builtNodeImage is the repository of what `make kind-node-image` builds; the tag
// is the version of Kubernetes.
const builtNodeImage = "kube-iam/kind-node"

// findNodeImage decides on the image of the nodes and has the engine have it.
func (k *kindProvider) findNodeImage(ctx context.Context) error {
	config := &k.config.Kind
	image, err := k.chooseNodeImage(ctx)
	if err != nil {
		return err
	}
	config.NodeImage = image
	if !k.engine.has(ctx, image) {
		k.progress("pulling %s", image)
		if _, err := k.engine.run(ctx, "pull", "--quiet", image); err != nil {
			return fmt.Errorf("there is no image %s (without a registry, make kind-node-image builds one; KIND_NODE_IMAGE names any other): %w", image, err)
		}
	}
	return k.engine.checkPrivileges(ctx, image)
}

func (k *kindProvider) chooseNodeImage(ctx context.Context) (string, error) {
	config := k.config.Kind
	switch {
	case config.NodeImage != "":
		return config.NodeImage, nil
	case config.KubernetesVersion == "" && os.Getenv("KIND_NODE_IMAGE") != "":
		return os.Getenv("KIND_NODE_IMAGE"), nil
	}
	image, built := defaults.Image, ""
	if version := config.KubernetesVersion; version != "" {
		image, built = "kindest/node:"+version, builtNodeImage+":"+version
	}
	if k.engine.has(ctx, image) {
		return image, nil
	}
	if built == "" {
		tags, err := k.engine.run(ctx, "image", "ls", "--format", "{{.Repository}}:{{.Tag}}", builtNodeImage) // the newest first
		if err != nil {
			return "", err
		}
		built, _, _ = strings.Cut(tags, "\n")
	}
	if built != "" && k.engine.has(ctx, built) {
		return built, nil
	}
	return image, nil
}

// An authenticatorImage is an archive with the authenticator's image.
type authenticatorImage struct{ path, name string }

// readImage finds the archive and the image's name in it.
func readImage(path string) (image authenticatorImage, err error) {
	image.path = cmp.Or(path, besideThisProgram("images/authenticator.tar"))
	archive, err := os.Open(image.path)
	if err != nil {
		return image, fmt.Errorf("finding the authenticator's image: %w (make image builds it; --image names another archive)", err)
	}
	defer archive.Close()
	if image.name, err = imageName(archive); err != nil {
		return image, fmt.Errorf("reading the authenticator's image %s: %w", image.path, err)
	}
	return image, nil
}

// imageName is the name of the one image in an archive.
func imageName(archive io.Reader) (string, error) {
	for reader := tar.NewReader(archive); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return "", errors.New("it has no manifest.json: it is not what docker save writes")
		}
		if err != nil {
			return "", err
		}
		if header.Name != "manifest.json" {
			continue
		}
		var manifest []struct{ RepoTags []string }
		if err := json.NewDecoder(reader).Decode(&manifest); err != nil {
			return "", fmt.Errorf("reading manifest.json: %w", err)
		}
		if len(manifest) != 1 || len(manifest[0].RepoTags) == 0 {
			return "", errors.New("it does not hold one image that has a name")
		}
		return manifest[0].RepoTags[0], nil
	}
}
