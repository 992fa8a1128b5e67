package audit_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"

	"github.com/m2msafe/m2msafe/internal/audittest"
)

// TestCommandOnMariaDB runs "m2msafe audit", built from the module beside, from the
// findings to the mended database and back.
func TestCommandOnMariaDB(t *testing.T) {
	address := dsn(t)
	dir := t.TempDir()
	program := filepath.Join(dir, "m2msafe")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".")
	build.Dir = "../../cmd/m2msafe"
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	audit := func(args ...string) (code int, stdout, stderr string) {
		var o, e bytes.Buffer
		cmd := exec.CommandContext(t.Context(), program, append([]string{"audit"}, args...)...)
		cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &o, &e
		err := cmd.Run()
		require.IsType(t, &exec.ExitError{}, orExit(err))
		return cmd.ProcessState.ExitCode(), o.String(), e.String()
	}
	config, err := mysql.ParseDSN(address)
	require.NoError(t, err)
	db := open(t, "mysql", address)
	for _, statement := range []string{
		"CREATE TABLE users (id bigint PRIMARY KEY)", "CREATE TABLE `groups` (id bigint PRIMARY KEY)",
		"CREATE TABLE user_groups (user_id bigint NOT NULL, group_id bigint NOT NULL, FOREIGN KEY (group_id) REFERENCES `groups` (id))",
		"INSERT INTO users VALUES (1), (2)", "INSERT INTO `groups` VALUES (1)", "INSERT INTO user_groups VALUES (1, 1), (1, 1), (2, 1)",
	} {
		audittest.Execute(t, db, statement)
	}
	code, stdout, stderr := audit(address, "--fix", "fix.sql", "--html", "page.html")
	require.Equal(t, 1, code, stderr)
	require.Contains(t, stdout, "MariaDB")
	require.Contains(t, stdout, "error  user_groups  no-unique-key")
	page, err := os.ReadFile(filepath.Join(dir, "page.html"))
	require.NoError(t, err)
	for _, text := range []string{stdout, stderr, string(page)} {
		require.NotContains(t, text, config.Passwd)
	}

	code, stdout, _ = audit("mysql://"+config.User+":"+config.Passwd+"@"+config.Addr+"/"+config.DBName, "--format", "json")
	require.Equal(t, 1, code)
	require.Contains(t, stdout, `"rule": "duplicate-pairs"`)

	code, _, stderr = audit(strings.Replace(address, config.Passwd, "hush-hush", 1))
	require.Equal(t, 2, code)
	require.Contains(t, stderr, "Access denied")
	require.NotContains(t, stderr, "hush-hush")

	client, err := exec.LookPath("mariadb")
	if err != nil {
		t.Skip(err)
	}
	run := func(ctx context.Context, file string) {
		host, port, _ := strings.Cut(config.Addr, ":")
		cmd := exec.CommandContext(ctx, client, "--no-defaults", "-h", host, "-P", port, "-u", config.User, config.DBName)
		cmd.Env = append(os.Environ(), "MYSQL_PWD="+config.Passwd)
		cmd.Stdin, err = os.Open(filepath.Join(dir, file))
		require.NoError(t, err)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	run(t.Context(), "fix.sql")
	code, stdout, stderr = audit(address)
	require.Equal(t, 0, code, stdout+stderr)
	run(t.Context(), "fix.undo.sql")
	code, stdout, _ = audit(address)
	require.Equal(t, 1, code)
	require.Contains(t, stdout, "duplicate-pairs")
}

// orExit takes a program's success for an exit too.
func orExit(err error) error {
	if err == nil {
		return &exec.ExitError{}
	}
	return err
}
