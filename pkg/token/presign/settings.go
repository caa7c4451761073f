package presign

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/kube-iam/authenticator/internal/file"
)

// maxLogins is how many files of logins the settings may include.
const maxLogins = 256

// A fingerprint changes when any setting changes that AWS credentials come from. It
// covers the text of the settings instead of their meaning, which only the SDK knows:
// loading that takes longer than making a token.
type fingerprint [sha256.Size]byte

// settings returns the fingerprint of the AWS_* variables, of the configuration and
// credentials files, of the web identity tokens that they name, of the token of a
// container such as a pod of EKS, and of the logins of the AWS CLI.
func settings(ctx context.Context) (fingerprint, error) {
	sum := sha256.New()
	variables := os.Environ()
	slices.Sort(variables)
	for _, variable := range variables {
		name, value, _ := strings.Cut(variable, "=")
		name = strings.ToUpper(name) // as on Windows, where aws_profile is AWS_PROFILE
		if strings.HasPrefix(name, "AWS_") && value != "" && !slices.Contains(otherVariables(), name) {
			add(sum, variable)
		}
	}
	tokens := []string{os.Getenv("AWS_WEB_IDENTITY_TOKEN_FILE"), os.Getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")}
	for _, path := range sharedFiles() {
		content, err := addFile(ctx, sum, path)
		if err != nil {
			return fingerprint{}, err
		}
		tokens = append(tokens, webIdentityTokens(content)...)
	}
	for _, path := range tokens {
		if _, err := addFile(ctx, sum, path); err != nil {
			return fingerprint{}, err
		}
	}
	if err := addLogins(ctx, sum); err != nil {
		return fingerprint{}, err
	}
	return fingerprint(sum.Sum(nil)), nil
}

// otherVariables returns variables that do not change the credentials. Shells differ in
// them, and must share a session. The region matters to tokens alone.
func otherVariables() []string {
	return []string{"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PAGER", "AWS_DEFAULT_OUTPUT", "AWS_CLI_AUTO_PROMPT", cacheFileVariable}
}

// sharedFiles returns the paths of the configuration and the credentials file.
func sharedFiles() []string {
	path := func(variable, standard string) string {
		if set := os.Getenv(variable); set != "" {
			return set
		}
		return standard
	}
	return []string{
		path("AWS_CONFIG_FILE", config.DefaultSharedConfigFilename()),
		path("AWS_SHARED_CREDENTIALS_FILE", config.DefaultSharedCredentialsFilename()),
	}
}

// webIdentityTokens returns the values of web_identity_token_file in a configuration
// file, of all profiles.
func webIdentityTokens(content []byte) (paths []string) {
	for line := range strings.Lines(string(content)) {
		if key, value, ok := strings.Cut(line, "="); ok && strings.EqualFold(strings.TrimSpace(key), "web_identity_token_file") {
			paths = append(paths, strings.TrimSpace(value))
		}
	}
	return paths
}

// addLogins adds the files in which the AWS CLI keeps its logins: another user may
// log in with the same profile.
func addLogins(ctx context.Context, sum hash.Hash) error {
	home := filepath.Dir(filepath.Dir(config.DefaultSharedConfigFilename()))
	count := 0
	for _, dir := range []string{filepath.Join(home, ".aws", "sso", "cache"), filepath.Join(home, ".aws", "login", "cache")} {
		entries, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		for _, entry := range entries {
			if !strings.HasSuffix(entry.Name(), ".json") {
				continue
			}
			if count++; count > maxLogins {
				return fmt.Errorf("%s has too many files (at most %d are read; aws sso logout removes them)", dir, maxLogins)
			}
			if _, err := addFile(ctx, sum, filepath.Join(dir, entry.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// addFile adds the path and the content of a file, which may be missing.
func addFile(ctx context.Context, sum hash.Hash, path string) (content []byte, err error) {
	add(sum, path)
	if path == "" || path == os.DevNull {
		return nil, nil
	}
	content, err = file.Read(ctx, path, file.MaxSettings)
	if errors.Is(err, fs.ErrNotExist) {
		add(sum, "missing")
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	add(sum, "content")
	add(sum, string(content))
	return content, nil
}

// add adds a text, so that no two lists of texts have the same sum.
func add(sum hash.Hash, text string) {
	var size [8]byte
	binary.BigEndian.PutUint64(size[:], uint64(len(text)))
	_, _ = sum.Write(size[:]) // a hash never fails
	_, _ = sum.Write([]byte(text))
}
