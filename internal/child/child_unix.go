//go:build unix && !linux

package child

import "syscall"

// Only Linux has a parent-death signal; elsewhere Stop must be called.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
