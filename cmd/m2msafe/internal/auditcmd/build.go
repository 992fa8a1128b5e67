package auditcmd

import "runtime/debug"

// buildVersion is the program's, "" where it was built without one.
func buildVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "(devel)" {
		return ""
	}
	return info.Main.Version
}
