// Command engines runs the conformance suite on engines, keeps what came of it in
// docs/engines, and writes docs/engines.md of that.
package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/m2msafe/m2msafe/compat"
)

type cli struct {
	Run  run  `cmd:"" default:"withargs" help:"Run the suite on engines, and keep what came of it."`
	Page page `cmd:"" help:"Write docs/engines.md anew from what is kept."`
}

type run struct {
	Engines []string `arg:"" optional:"" help:"Engines by name; without one all but those on demand."`
	Race    bool     `help:"Build with the race detector."`
	Forget  bool     `help:"Keep nothing: only say whether all is well."`
	Docs    string   `default:"../docs" help:"Folder that the page goes to."`
}

type page struct {
	Docs string `default:"../docs" help:"Folder that the page goes to."`
}

func main() {
	var c cli
	k := kong.Parse(&c, kong.Name("engines"))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	k.BindTo(ctx, (*context.Context)(nil))
	k.FatalIfErrorf(k.Run())
}

// Run is the command's.
func (r *run) Run(ctx context.Context) error {
	names := r.Engines
	if len(names) == 0 {
		for _, e := range engines {
			if !e.onDemand {
				names = append(names, e.name)
			}
		}
	}
	var failed []string
	for _, name := range names {
		i := slices.IndexFunc(engines, func(e engine) bool { return e.name == name })
		if i < 0 {
			return fmt.Errorf("there is no engine %q; there are %s", name, strings.Join(known(), ", "))
		}
		result, err := r.test(ctx, engines[i])
		if err != nil {
			return err
		}
		fmt.Println(result.line())
		if len(result.Failed) > 0 {
			failed = append(failed, name)
		}
		if r.Forget {
			continue
		}
		if err := result.keep(r.Docs); err != nil {
			return err
		}
	}
	if !r.Forget {
		if err := (&page{r.Docs}).Run(); err != nil {
			return err
		}
	}
	if len(failed) > 0 {
		return fmt.Errorf("failed: %s", strings.Join(failed, ", "))
	}
	return nil
}

// test runs an engine's tests. A process of their own has each: what one engine
// does to the machine is over when the next begins.
func (r *run) test(ctx context.Context, e engine) (*result, error) {
	args := []string{"test", "-json", "-count=1", "-timeout=30m"}
	if r.Race {
		args = append(args, "-race")
	}
	cmd := exec.CommandContext(ctx, "go", append(append(args, e.flags...), "-run=^TestEngine$|^Test"+e.more+"$", ".")...)
	cmd.Dir = filepath.FromSlash(e.dir)
	cmd.Env = append(os.Environ(), compat.EnginesEnv+"="+e.name)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	result, err := read(e.name, out, os.Stdout)
	if ended := cmd.Wait(); err == nil && ended != nil && len(result.Failed) == 0 {
		result.Failed = append(result.Failed, "the run itself: "+ended.Error())
	}
	return result, err
}

// Run is the command's.
func (p *page) Run() error {
	results, err := load(p.Docs)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(p.Docs, "engines.md"), write(results), 0o644)
}

func known() (names []string) {
	for _, e := range engines {
		names = append(names, e.name)
	}
	return names
}
