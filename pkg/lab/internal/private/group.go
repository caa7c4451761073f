package private

import (
	"os"
	"os/user"
	"strconv"
	"strings"
)

// groupsFile lists the members of each group: NAME:PASSWORD:GID:MEMBERS.
const groupsFile = "/etc/group"

// isOurs reports whether this user is the only member of a group. Debian, Fedora and
// others give each user such a group, with the user's name, and make new files
// writable for it (umask 002).
func isOurs(gid int) bool {
	current, err := user.Current()
	if err != nil || current.Uid == "0" {
		return false // others may well be in root's group
	}
	groups, err := os.ReadFile(groupsFile)
	return err == nil && isPrivateGroup(string(groups), current.Username, gid)
}

// isPrivateGroup reports whether the group with the ID gid has the user's name and no
// other members.
func isPrivateGroup(groups, username string, gid int) bool {
	for line := range strings.Lines(groups) {
		fields := strings.Split(strings.TrimSpace(line), ":")
		if len(fields) == 4 && fields[2] == strconv.Itoa(gid) {
			return fields[0] == username && (fields[3] == "" || fields[3] == username)
		}
	}
	return false
}
