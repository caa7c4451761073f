package private

import (
	"os"
	"os/user"
	"strconv"
	"strings"
)

// groupsFile lists the members of each group: NAME:PASSWORD:GID:MEMBERS.
const groupsFile = "/etc/group"

// isOurs reports whether this user alone is in a group. Debian, Fedora and others
// give each user such a group, of the user's name, and let it write what the user
// makes (umask 002).
func isOurs(gid int) bool {
	current, err := user.Current()
	if err != nil || current.Uid == "0" {
		return false // others may well be in root's group
	}
	groups, err := os.ReadFile(groupsFile)
	return err == nil && isPrivateGroup(string(groups), current.Username, gid)
}

// isPrivateGroup reports whether the group of a number has the user's name, and no
// members beside the user.
func isPrivateGroup(groups, username string, gid int) bool {
	for line := range strings.Lines(groups) {
		fields := strings.Split(strings.TrimSpace(line), ":")
		if len(fields) == 4 && fields[2] == strconv.Itoa(gid) {
			return fields[0] == username && (fields[3] == "" || fields[3] == username)
		}
	}
	return false
}
