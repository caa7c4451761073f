package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/spf13/cobra"
)

func newIndex() *cobra.Command {
	var output, imageName string
	command := &cobra.Command{
		Use:   "index ARCHIVE...",
		Short: "Write an image for several platforms as an OCI layout, which a registry takes",
		Long: `Write an image for several platforms as an OCI layout, a directory from which
tools copy it to a registry. The archives are what "image build --gzip" wrote, one
for each platform.`,
		Example: `  image index --output hello --name example/hello:v1 hello-amd64.tar hello-arm64.tar`,
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, archives []string) error {
			tag, err := parseTag(imageName)
			if err != nil {
				return err
			}
			told, err := writeIndex(output, tag, archives)
			if err == nil {
				fmt.Fprintln(cmd.OutOrStdout(), told)
			}
			return err
		},
	}
	flags := command.Flags()
	flags.StringVar(&output, "output", "", "the directory to write; an image layout there is replaced")
	flags.StringVar(&imageName, "name", "", "name and tag of the image")
	for _, required := range []string{"output", "name"} {
		_ = command.MarkFlagRequired(required)
	}
	return command
}

// writeIndex writes the layout, and says what is in it.
func writeIndex(output string, tag name.Tag, archives []string) (string, error) {
	if err := replaceable(output); err != nil {
		return "", fmt.Errorf("--output %s: %w", output, err)
	}
	images := map[string]v1.Image{}
	for _, archive := range archives {
		image, platform, err := readArchive(archive)
		if err != nil {
			return "", fmt.Errorf("reading %s: %w", archive, err)
		}
		if images[platform] != nil {
			return "", fmt.Errorf("reading %s: there is an image for %s already", archive, platform)
		}
		images[platform] = image
	}
	index, size, err := indexOf(images)
	if err != nil {
		return "", fmt.Errorf("assembling %s: %w", tag, err)
	}
	digest, err := index.Digest()
	if err != nil {
		return "", fmt.Errorf("assembling %s: %w", tag, err)
	}

	work, err := os.MkdirTemp(filepath.Dir(output), ".image-")
	if err != nil {
		return "", fmt.Errorf("--output: %w", err)
	}
	defer func() { _ = os.RemoveAll(work) }() // what stays behind harms nobody
	written := filepath.Join(work, "layout")
	if err := writeLayout(written, tag, index); err != nil {
		return "", fmt.Errorf("writing %s: %w", output, err)
	}
	if err := os.RemoveAll(output); err != nil {
		return "", fmt.Errorf("writing %s: %w", output, err)
	}
	if err := os.Rename(written, output); err != nil {
		return "", fmt.Errorf("writing %s: %w", output, err)
	}
	return line(tag, strings.Join(slices.Sorted(maps.Keys(images)), ","), size, digest), nil
}

func writeLayout(dir string, tag name.Tag, index v1.ImageIndex) error {
	written, err := layout.Write(dir, empty.Index)
	if err != nil {
		return err
	}
	if err := written.AppendIndex(index, layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": tag.TagStr()})); err != nil {
		return err
	}
	// The library leaves some files to their owner alone, and others to be run.
	return filepath.WalkDir(dir, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		return os.Chmod(file, 0o644)
	})
}

// replaceable is an error if there is something else than an image layout.
func replaceable(output string) error {
	_, err := os.Stat(output)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(output, "oci-layout")); err != nil {
		return errors.New("it is there and is no image layout: remove it, or name another")
	}
	return nil
}

// readArchive reads the image of a docker archive, and its platform.
func readArchive(archive string) (v1.Image, string, error) {
	manifest, err := tarball.LoadManifest(func() (io.ReadCloser, error) { return os.Open(archive) })
	if err != nil {
		return nil, "", err
	}
	for _, image := range manifest {
		for _, layer := range image.Layers {
			if !strings.HasSuffix(layer, ".tar.gz") {
				return nil, "", errors.New("its layers are not compressed: build it with --gzip")
			}
		}
	}
	read, err := tarball.ImageFromPath(archive, nil)
	if err != nil {
		return nil, "", err
	}
	config, err := read.ConfigFile()
	if err != nil {
		return nil, "", err
	}
	platform := config.Platform().String()
	if !slices.Contains(platforms(), platform) {
		return nil, "", fmt.Errorf("it is for %s: want %s", platform, strings.Join(platforms(), " or "))
	}
	layers, err := read.Layers()
	if err != nil {
		return nil, "", err
	}
	if len(config.History) != len(layers) {
		return nil, "", errors.New(`"image build" did not write it`)
	}
	image, err := assemble(config, layers)
	return image, platform, err
}

// indexOf is the index of images by their platforms, and the size of all.
func indexOf(images map[string]v1.Image) (v1.ImageIndex, int64, error) {
	var additions []mutate.IndexAddendum
	var shared map[string]string
	var total int64
	for i, platform := range slices.Sorted(maps.Keys(images)) {
		image := images[platform]
		config, err := image.ConfigFile()
		if err != nil {
			return nil, 0, err
		}
		size, err := sizeOf(image)
		if err != nil {
			return nil, 0, err
		}
		total += size
		said := annotations(config.Config.Labels)
		if i == 0 {
			shared = said
		}
		maps.DeleteFunc(shared, func(key, value string) bool { return said[key] != value })
		additions = append(additions, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: config.Platform()}})
	}
	index := mutate.AppendManifests(mutate.IndexMediaType(empty.Index, types.OCIImageIndex), additions...)
	return mutate.Annotations(index, shared).(v1.ImageIndex), total, nil
}
