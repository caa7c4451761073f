#!/usr/bin/env bash
# Checks the words of the repository (hack/lint/words), and every module of it:
# formatting, go.mod, go vet, and golangci-lint with the one configuration. All
# modules are checked before it fails.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

unformatted=$(git ls-files -z '*.go' | xargs -0 gofmt -l)
if [[ -n "$unformatted" ]]; then
  printf 'lint: not formatted (gofmt -w):\n%s\n' "$unformatted" >&2
  exit 1
fi

(cd hack/lint && go build -o "$OLDPWD/bin/lint/words" ./words)
bin/lint/words

linter=$PWD/bin/lint/golangci-lint
(cd hack/lint && go build -o "$linter" github.com/golangci/golangci-lint/v2/cmd/golangci-lint)

check() { # in the directory of a module
  # Some modules hold the versions of tools and no code. To tidy them, Go downloads what
  # the tests of all their dependencies need.
  local packages
  packages=$(go list -tags e2e ./...) || return
  [[ -n $packages ]] || return 0
  go mod tidy -diff || return
  go vet -tags e2e ./... && "$linter" run --allow-serial-runners --build-tags e2e ./...
}

failed=()
while read -r file; do
  module=$(dirname "$file")
  printf 'lint: %s\n' "$module" >&2
  (cd "$module" && check) || failed+=("$module")
done < <(git ls-files go.mod '*/go.mod')
if ((${#failed[@]})); then
  printf 'lint: failed in %s\n' "${failed[*]}" >&2
  exit 1
fi
