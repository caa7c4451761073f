# shellcheck shell=bash
# steps.sh is sourced by builds that take longer than a moment. It runs their
# steps, and prints which one of how many runs, and for how long.
#
# The build sets $build, its name, $steps, how many steps there are, and $logs, a
# directory. Bash 3.2, which macOS has, must be able to read this file.

number=0

# Without a trap, bash goes on after Ctrl-C if the program that it waits for, such as a
# sleep that was just being started, does not end with the signal.
trap 'exit 130' INT

say() { printf '%s: %s\n' "$build" "$*" >&2; }
die() { say "$*"; exit 1; }

# begin TEXT: counts a step.
begin() {
  number=$((number + 1))
  title="$number of $steps: $1"
  say "$title"
}

# run TEXT COMMAND [ARGUMENT...]: runs a command or a function as the next step.
# What it prints goes to a log of the command's name.
run() {
  begin "$1"
  shift
  local log=$logs/$1 started=$SECONDS next=$((SECONDS + 5)) pause=5 failed=0 pid last
  # The trap comes first: a signal may arrive as soon as the step runs.
  trap '[[ -z ${!-} ]] || kill -- "-$!" 2> /dev/null || true' EXIT
  set -m # a process group of its own, which can be ended as one
  "$@" > "$log" 2>&1 < /dev/null &
  pid=$!
  set +m
  while kill -0 "$pid" 2> /dev/null; do
    sleep 0.2
    if ((SECONDS >= next)); then
      pause=$((pause < 20 ? 2 * pause : 30)) # a long step needs no line every 5 s
      next=$((SECONDS + pause))
      last=$(tail -n 1 "$log" | cut -c 1-70)
      say "$title: $((SECONDS - started)) s${last:+, $last}"
    fi
  done
  wait "$pid" || failed=$?
  trap - EXIT
  if ((failed)); then
    tail -n 10 "$log" | sed 's/^/  /' >&2
    (($(free "$logs") > 100)) || say "the disk of $logs is full"
    die "$title: failed after $((SECONDS - started)) s (its log is $log)"
  fi
  ((SECONDS - started < 2)) || say "$title: done in $((SECONDS - started)) s"
}

# free DIRECTORY: the free space on its disk, in MiB.
free() { df -Pm "$1" | awk 'NR == 2 { print $4 }'; }
