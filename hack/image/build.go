package main

import (
	"archive/tar"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/spf13/cobra"
)

// building is what the flags of build say.
type building struct {
	output, name, platform    string
	files, tars               []string
	entrypoint, command       []string
	environment, labels       []string
	volumes                   []string
	user, workdir, stopSignal string
	gzip                      int
}

func newBuild(getenv func(string) string) *cobra.Command {
	var b building
	command := &cobra.Command{
		Use:   "build",
		Short: "Write an image as a docker archive, for docker load and ctr images import",
		Long: `Write an image as a docker archive, which docker load and ctr images import take.

Each --tar is a layer of its own, with all that is in it: links, devices, owners,
extended attributes. The files are the last layer. Directories on their way are
as in the archives, or else root's with mode 0755.`,
		Example: `  image build --output hello.tar --name example/hello:v1 --platform linux/amd64 \
    --file bin/hello=/hello --entrypoint /hello --user 10000:10000`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			told, err := b.run(getenv)
			if err == nil {
				fmt.Fprintln(cmd.OutOrStdout(), told)
			}
			return err
		},
	}
	flags := command.Flags()
	flags.StringVar(&b.output, "output", "", "the archive to write")
	flags.StringVar(&b.name, "name", "", "name and tag of the image")
	flags.StringVar(&b.platform, "platform", "", strings.Join(platforms(), " or "))
	flags.StringArrayVar(&b.files, "file", nil, "a file, SRC=DST or SRC=DST:MODE; without a mode 0755 if it can be run, else 0644 (repeatable)")
	flags.StringArrayVar(&b.tars, "tar", nil, "a tar archive that becomes a layer as it is (repeatable)")
	flags.StringArrayVar(&b.entrypoint, "entrypoint", nil, "the program, then each of its first arguments (repeatable)")
	flags.StringArrayVar(&b.command, "cmd", nil, "each of the arguments that whoever runs the image may replace (repeatable)")
	flags.StringArrayVar(&b.environment, "env", nil, "a variable, NAME=VALUE (repeatable)")
	flags.StringArrayVar(&b.labels, "label", nil, "a label, NAME=VALUE; OCI's own become annotations too (repeatable)")
	flags.StringArrayVar(&b.volumes, "volume", nil, "a directory whose content is no part of the image (repeatable)")
	flags.StringVar(&b.user, "user", "", "UID or UID:GID (default: root)")
	flags.StringVar(&b.workdir, "workdir", "", "directory that programs start in (default: /)")
	flags.StringVar(&b.stopSignal, "stop-signal", "", "signal that ends the program (default: SIGTERM)")
	flags.IntVar(&b.gzip, "gzip", 0, "compress the layers, from 1 (fast) to 9 (small); 0 leaves them as they are")
	for _, required := range []string{"output", "name", "platform"} {
		_ = command.MarkFlagRequired(required)
	}
	return command
}

func platforms() []string { return []string{"linux/amd64", "linux/arm64"} }

// run writes the archive, and says what is in it.
func (b building) run(getenv func(string) string) (string, error) {
	tag, err := parseTag(b.name)
	if err != nil {
		return "", err
	}
	created, err := sourceDate(getenv("SOURCE_DATE_EPOCH"))
	if err != nil {
		return "", err
	}
	config, err := b.config(created)
	if err != nil {
		return "", err
	}
	if b.gzip < 0 || b.gzip > 9 {
		return "", fmt.Errorf("--gzip %d: want 1 (fast) to 9 (small), or 0 to compress nothing", b.gzip)
	}
	if len(b.files)+len(b.tars) == 0 {
		return "", fmt.Errorf("there is nothing to put into the image: name it with --file or --tar")
	}

	// Beside the output, so that it gets there whole or not at all.
	work, err := os.MkdirTemp(filepath.Dir(b.output), ".image-")
	if err != nil {
		return "", fmt.Errorf("--output: %w", err)
	}
	defer func() { _ = os.RemoveAll(work) }() // what stays behind harms nobody

	layers, err := b.layers(filepath.Join(work, "files.tar"), created)
	if err != nil {
		return "", err
	}
	for range layers {
		config.History = append(config.History, v1.History{Created: config.Created, CreatedBy: "image build"})
	}
	image, err := assemble(config, layers)
	if err != nil {
		return "", fmt.Errorf("assembling %s: %w", tag, err)
	}
	archive := filepath.Join(work, "image.tar")
	if err := tarball.WriteToFile(archive, tag, image); err != nil {
		return "", fmt.Errorf("writing %s: %w", b.output, err)
	}
	if err := os.Rename(archive, b.output); err != nil {
		return "", fmt.Errorf("writing %s: %w", b.output, err)
	}
	return describe(tag, b.platform, image)
}

// parseTag parses the name of an image. Its tag must be said: what everybody
// calls latest is never what one looks for.
func parseTag(text string) (name.Tag, error) {
	tag, err := name.NewTag(text)
	if err != nil {
		return name.Tag{}, fmt.Errorf("--name: %w", err)
	}
	if !strings.HasSuffix(text, ":"+tag.TagStr()) {
		return name.Tag{}, fmt.Errorf("--name %s: want a tag too, such as %s:v1", text, text)
	}
	return tag, nil
}

// layers are the archives, and what is made of the files in the archive scratch.
func (b building) layers(scratch string, modified time.Time) ([]v1.Layer, error) {
	var layers []v1.Layer
	below := map[string]*tar.Header{}
	for _, archive := range b.tars {
		if err := readHeaders(archive, below); err != nil {
			return nil, fmt.Errorf("--tar %s: %w", archive, err)
		}
		layer, err := layerOf(archive, b.gzip)
		if err != nil {
			return nil, fmt.Errorf("--tar %s: %w", archive, err)
		}
		layers = append(layers, layer)
	}
	if len(b.files) == 0 {
		return layers, nil
	}
	var files []file
	for _, value := range b.files {
		f, err := parseFile(value)
		if err != nil {
			return nil, fmt.Errorf("--file %s: %w", value, err)
		}
		files = append(files, f)
	}
	if err := pack(scratch, files, below, modified); err != nil {
		return nil, fmt.Errorf("packing the files: %w", err)
	}
	layer, err := layerOf(scratch, b.gzip)
	if err != nil {
		return nil, fmt.Errorf("packing the files: %w", err)
	}
	return append(layers, layer), nil
}

var (
	userPattern   = regexp.MustCompile(`^\d+(:\d+)?$`)
	signalPattern = regexp.MustCompile(`^(SIG[A-Z0-9]+([+-]\d+)?|\d+)$`)
)

// config is what the image says of how it is run.
func (b building) config(created time.Time) (*v1.ConfigFile, error) {
	if !slices.Contains(platforms(), b.platform) {
		return nil, fmt.Errorf("--platform %s: want %s", b.platform, strings.Join(platforms(), " or "))
	}
	if b.user != "" && !userPattern.MatchString(b.user) {
		return nil, fmt.Errorf("--user %s: want numbers, UID or UID:GID", b.user)
	}
	if b.stopSignal != "" && !signalPattern.MatchString(b.stopSignal) {
		return nil, fmt.Errorf("--stop-signal %s: want a name such as SIGTERM or SIGRTMIN+3, or a number", b.stopSignal)
	}
	if b.workdir != "" && !isAbsolute(b.workdir) {
		return nil, fmt.Errorf("--workdir %s: want an absolute path with no . or .. in it", b.workdir)
	}
	if _, err := pairs(b.environment); err != nil {
		return nil, fmt.Errorf("--env %w", err)
	}
	labels, err := pairs(b.labels)
	if err != nil {
		return nil, fmt.Errorf("--label %w", err)
	}
	var volumes map[string]struct{}
	for _, volume := range b.volumes {
		if !isAbsolute(volume) {
			return nil, fmt.Errorf("--volume %s: want an absolute path with no . or .. in it", volume)
		}
		if volumes == nil {
			volumes = map[string]struct{}{}
		}
		volumes[volume] = struct{}{}
	}
	system, architecture, _ := strings.Cut(b.platform, "/")
	return &v1.ConfigFile{
		OS:           system,
		Architecture: architecture,
		Created:      v1.Time{Time: created},
		RootFS:       v1.RootFS{Type: "layers"},
		Config: v1.Config{
			Entrypoint: b.entrypoint,
			Cmd:        b.command,
			Env:        b.environment,
			Labels:     labels,
			Volumes:    volumes,
			User:       b.user,
			WorkingDir: b.workdir,
			StopSignal: b.stopSignal,
		},
	}, nil
}

// pairs parses NAME=VALUE.
func pairs(values []string) (map[string]string, error) {
	var parsed map[string]string
	for _, value := range values {
		name, text, ok := strings.Cut(value, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("%s: want NAME=VALUE", value)
		}
		if _, twice := parsed[name]; twice {
			return nil, fmt.Errorf("%s: %s is set twice", value, name)
		}
		if parsed == nil {
			parsed = map[string]string{}
		}
		parsed[name] = text
	}
	return parsed, nil
}

// isAbsolute reports whether a path of the image is written in the one way
// that leaves no doubt.
func isAbsolute(name string) bool {
	return path.IsAbs(name) && path.Clean(name) == name && !strings.ContainsRune(name, 0)
}

// sourceDate is the time of all that has one, by the convention that
// reproducible builds have for it.
func sourceDate(seconds string) (time.Time, error) {
	if seconds == "" {
		return time.Unix(0, 0).UTC(), nil
	}
	since, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil || since < 0 {
		return time.Time{}, fmt.Errorf("$SOURCE_DATE_EPOCH %q: want the seconds since 1970", seconds)
	}
	return time.Unix(since, 0).UTC(), nil
}
