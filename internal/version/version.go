// Package version says which version of the software this is.
package version

import "runtime/debug"

// Version is the module's version as Go has recorded it in the program, such as v1.4.0; "(devel)" where it has recorded none.
func Version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}

// Agent is the software and its version, for servers and manifests.
func Agent() string { return "git-partition-sync/" + Version() }
