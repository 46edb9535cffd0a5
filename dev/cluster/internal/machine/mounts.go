package machine

import (
	"slices"
	"strings"
)

// MountsUnder lists the mount points at or below the directories in `mounts` (the text of /proc/self/mounts), the last mounted first.
func MountsUnder(mounts string, dirs ...string) []string {
	var found []string
	for line := range strings.Lines(mounts) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		point := strings.ReplaceAll(fields[1], `\040`, " ")
		below := func(dir string) bool { return point == dir || strings.HasPrefix(point, dir+"/") }
		if slices.ContainsFunc(dirs, below) {
			found = append(found, point)
		}
	}
	slices.Reverse(found)
	return found
}
