package kind

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"sigs.k8s.io/kind/pkg/apis/config/defaults"

	"github.com/kube-iam/authenticator/pkg/lab/internal/image"
)

// builtNodeImage is the repository of the images that `make kind-node-image` builds.
// Their tag is the version of Kubernetes.
const builtNodeImage = "kube-iam/kind-node"

// findNodeImage chooses the image of the nodes, and pulls it if the engine does not
// have it.
func (c *Cluster) findNodeImage(ctx context.Context) error {
	config := &c.config
	image, err := c.chooseNodeImage(ctx)
	if err != nil {
		return err
	}
	config.NodeImage = image
	if !c.engine.has(ctx, image) {
		c.spec.Progress("pulling %s", image)
		if _, err := c.engine.run(ctx, "pull", "--quiet", image); err != nil {
			return fmt.Errorf("pulling image %s: %w (without a registry, build one: git clone https://github.com/kube-iam/authenticator && make -C authenticator kind-node-image; KIND_NODE_IMAGE names any other)", image, err)
		}
	}
	return c.engine.checkPrivileges(ctx, image)
}

func (c *Cluster) chooseNodeImage(ctx context.Context) (string, error) {
	config := c.config
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
	if c.engine.has(ctx, image) {
		return image, nil
	}
	if built == "" {
		tags, err := c.engine.run(ctx, "image", "ls", "--format", "{{.Repository}}:{{.Tag}}", builtNodeImage) // newest first
		if err != nil {
			return "", err
		}
		built, _, _ = strings.Cut(tags, "\n")
	}
	if built != "" && c.engine.has(ctx, built) {
		return built, nil
	}
	return image, nil
}

// An authenticatorImage is an archive of the authenticator's image.
type authenticatorImage struct{ path, name string }

// assembleImage writes an image of the authenticator that runs on this machine.
func (c *Cluster) assembleImage() (err error) {
	const archive = Dir + "/authenticator.tar"
	assembled := image.Image{
		Name: "kube-iam/authenticator:lab", Program: c.spec.Authenticator,
		Entrypoint: "/authenticator", User: fmt.Sprintf("%d:%[1]d", authenticatorUID),
	}
	c.image = authenticatorImage{c.spec.Path(archive), assembled.Name}
	file, err := c.spec.Dir.Create(archive, 0o600)
	if err != nil {
		return fmt.Errorf("writing the authenticator's image: %w", err)
	}
	return errors.Join(assembled.Save(file), file.Close())
}

// readImage opens the archive and reads the image's name from it.
func readImage(path string) (image authenticatorImage, err error) {
	image.path = path
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

// imageName returns the name of the only image in an archive.
func imageName(archive io.Reader) (string, error) {
	for reader := tar.NewReader(archive); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return "", errors.New("it has no manifest.json: expected an archive that docker save wrote")
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
			return "", errors.New("expected exactly one image, with a name")
		}
		return manifest[0].RepoTags[0], nil
	}
}
