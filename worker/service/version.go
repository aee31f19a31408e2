package service

import "runtime/debug"

// version is the software and its version, for Git servers and manifests.
func version() string {
	version := "(devel)"
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		version = info.Main.Version
	}
	return "git-partition-sync/" + version
}
