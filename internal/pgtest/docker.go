package pgtest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"github.com/ory/dockertest/v3"
	dc "github.com/ory/dockertest/v3/docker"
)

const (
	// DefaultImage is the image of the container where none is asked for.
	DefaultImage = "postgres:17-alpine"
	// localImage is what testdata/postgres/image.sh makes.
	localImage = "m2msafe/postgres:local"

	pingLimit = 5 * time.Second
	pullLimit = 3 * time.Minute
	bootLimit = 90 * time.Second
	// lifetime ends a container whatever became of its test binary. It is
	// longer than any test run.
	lifetime = 2 * time.Hour
)

// fromDocker runs a container whose port is published on loopback only.
func fromDocker(ctx context.Context, asked string) (_ *server, err error) {
	pool, err := dockertest.NewPool("")
	if err != nil {
		return nil, err
	}
	ping, cancel := context.WithTimeout(ctx, pingLimit)
	defer cancel()
	if err := pool.Client.PingWithContext(ping); err != nil {
		return nil, fmt.Errorf("no engine answers: %w", err)
	}
	image, err := haveImage(ctx, pool.Client, asked)
	if err != nil {
		return nil, err
	}
	password := rand.Text()
	repository, tag := splitImage(image)
	resource, err := pool.RunWithOptions(&dockertest.RunOptions{
		Repository: repository,
		Tag:        tag,
		Env:        []string{"POSTGRES_PASSWORD=" + password, "POSTGRES_USER=m2msafe", "POSTGRES_DB=m2msafe"},
		Cmd: []string{
			"postgres", "-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off",
			"-c", "max_connections=200", "-c", "max_prepared_transactions=20", "-c", "timezone=UTC",
		},
		PortBindings: map[dc.Port][]dc.PortBinding{"5432/tcp": {{HostIP: "127.0.0.1"}}},
		Labels:       map[string]string{"m2msafe": "test"},
	}, func(hc *dc.HostConfig) {
		hc.PublishAllPorts = false // dockertest's default is every port, on every interface
		hc.AutoRemove = true
	})
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", image, err)
	}
	remove := watch(resource.Container.ID)
	stop := func() error {
		err := pool.Purge(resource)
		if gone := new(dc.NoSuchContainer); errors.As(err, &gone) {
			err = nil
		}
		return errors.Join(err, remove())
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("container of %s: %w", image, err), stop())
		}
	}()
	if err = resource.Expire(uint(lifetime.Seconds())); err != nil {
		return nil, err
	}
	srv := &server{kind: "docker", stop: stop}
	srv.dsn = fmt.Sprintf("host=127.0.0.1 port=%s user=m2msafe password=%s dbname=m2msafe sslmode=disable",
		resource.GetPort("5432/tcp"), password)
	if err = waitReady(ctx, srv.dsn); err != nil {
		var log strings.Builder
		_ = pool.Client.Logs(dc.LogsOptions{
			Container: resource.Container.ID, OutputStream: &log, ErrorStream: &log, Stdout: true, Stderr: true,
		})
		return nil, fmt.Errorf("%w\n%s", err, &log)
	}
	return srv, nil
}

// waitReady connects until the server answers. The official image starts a
// first server for its set-up, which listens on no network: this one is final.
func waitReady(ctx context.Context, dsn string) error {
	ctx, cancel := context.WithTimeout(ctx, bootLimit)
	defer cancel()
	for {
		db, err := open(ctx, dsn)
		if err == nil {
			return db.Close()
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not ready within %v: %w", bootLimit, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// haveImage returns an image that the engine holds. One that was asked for by
// name is that one or an error; the default is pulled, or made on this machine
// where no registry can be reached.
func haveImage(ctx context.Context, client *dc.Client, asked string) (string, error) {
	image := asked
	if image == "" {
		image = DefaultImage
	}
	if _, err := client.InspectImage(image); err == nil {
		return image, nil
	}
	pull, cancel := context.WithTimeout(ctx, pullLimit)
	defer cancel()
	repository, tag := splitImage(image)
	pullErr := client.PullImage(dc.PullImageOptions{
		Repository: repository, Tag: tag, Context: pull,
	}, dc.AuthConfiguration{})
	if pullErr == nil {
		return image, nil
	}
	pullErr = fmt.Errorf("pull %s: %w", image, pullErr)
	if asked != "" {
		return "", pullErr
	}
	if _, err := client.InspectImage(localImage); err == nil {
		return localImage, nil
	}
	if err := script(ctx, "image.sh", localImage); err != nil {
		return "", errors.Join(pullErr, err)
	}
	return localImage, nil
}

// splitImage splits at the tag's colon; a registry's port has one too.
func splitImage(image string) (repository, tag string) {
	colon := strings.LastIndexByte(image, ':')
	if colon < 0 || strings.Contains(image[colon:], "/") {
		return image, "latest"
	}
	return image[:colon], image[colon+1:]
}

// watch starts a shell that removes the container once this process is gone,
// by a panic or a kill too: then the pipe that it reads from ends. The function
// returned ends and awaits it. Without the docker client there is no watcher,
// and AutoRemove with Expire are what is left.
func watch(container string) (remove func() error) {
	cmd := exec.Command("sh", "-c", `cat >/dev/null; docker rm -f -v "$0" >/dev/null 2>&1 || true`, container) // #nosec G204 -- the name of a container is an argument, no text of the script
	detach(cmd)
	pipe, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return func() error { return nil }
	}
	return func() error { return errors.Join(pipe.Close(), cmd.Wait()) }
}
