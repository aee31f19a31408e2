package giteaserver

import (
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"os/user"
	"path/filepath"
)

func settingsFile(dir string) string { return filepath.Join(dir, "app.ini") }

// settings of a Gitea for a few minutes: nothing happens by itself, nothing is looked up in the internet, passwords need no time, and
// the disk is not waited for. See https://docs.gitea.com/administration/config-cheat-sheet.
const settings = `
RUN_USER = %[1]s
RUN_MODE = prod
WORK_PATH = %[2]s
I_AM_BEING_UNSAFE_RUNNING_AS_ROOT = true
[server]
HTTP_ADDR = %[3]s
HTTP_PORT = %[4]s
ROOT_URL = http://%[3]s:%[4]s/
STATIC_ROOT_PATH = %[5]s
OFFLINE_MODE = true
DISABLE_SSH = true
LFS_START_SERVER = %[6]t
[database]
DB_TYPE = sqlite3
SQLITE_JOURNAL_MODE = WAL
[security]
INSTALL_LOCK = true
SECRET_KEY = %[7]s
INTERNAL_TOKEN = %[7]s
PASSWORD_HASH_ALGO = pbkdf2$1$16
[service]
DISABLE_REGISTRATION = true
[repository]
ENABLE_PUSH_CREATE_USER = true
ENABLE_PUSH_CREATE_ORG = true
DEFAULT_PUSH_CREATE_PRIVATE = true
[webhook]
ALLOWED_HOST_LIST = loopback
[log]
MODE = console
LEVEL = error
[cron]
ENABLED = false
[indexer]
ISSUE_INDEXER_TYPE = db
[queue]
TYPE = channel
[actions]
ENABLED = false
[packages]
ENABLED = false
[oauth2]
ENABLED = false
[git.config]
core.fsync = none
receive.autogc = false
gc.auto = 0
`

func writeSettings(opts Options, address string) error {
	current, err := user.Current()
	if err != nil {
		return err
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	text := fmt.Sprintf(settings, current.Username, opts.Dir, host, port, opts.Static, !opts.WithoutLFS, rand.Text())
	return os.WriteFile(settingsFile(opts.Dir), []byte(text), 0o600)
}
