package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/m2msafe/m2msafe/cmd/m2msafe/internal/lab"
)

// screen is the width to print for, and whether to print in color: NO_COLOR and
// a pipe say no.
func screen(w io.Writer) (width int, color bool) {
	const widest = 100 // longer lines are no easier to read
	width = widest
	if n, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil {
		width = min(n, widest)
	}
	file, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return width, false
	}
	if n, _, err := term.GetSize(int(file.Fd())); err == nil && n > 0 {
		width = n
	}
	return min(width, widest), os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

// isTerminal says whether somebody looks at w.
func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// drawsBars says whether a bar can be drawn on w, and taken away again.
func drawsBars(w io.Writer) bool { return isTerminal(w) && os.Getenv("TERM") != "dumb" }

// eraser takes away the line that the cursor is in: by a control sequence, unless NO_COLOR
// asks for none.
func eraser(w io.Writer) string {
	if os.Getenv("NO_COLOR") == "" {
		return "\r\x1b[2K"
	}
	width := 80
	if file, ok := w.(*os.File); ok {
		if n, _, err := term.GetSize(int(file.Fd())); err == nil && n > 0 {
			width = n
		}
	}
	return "\r" + strings.Repeat(" ", width-1) + "\r"
}

// watch shows the lab's progress on w until the function that it returns is
// called: as a bar on a terminal that can draw one, as a line an experiment
// elsewhere.
func watch(l *lab.Lab, w io.Writer) (done func()) {
	if !drawsBars(w) {
		var last atomic.Pointer[lab.Experiment]
		l.Progress = func(e *lab.Experiment, _ *lab.Way) {
			if last.Swap(e) != e {
				fmt.Fprintf(w, "m2msafe: running %s\n", e.Name)
			}
		}
		return func() {}
	}
	// The writers only count: a bar that they drew themselves would slow down
	// what is being measured.
	var calls atomic.Int64
	var at atomic.Pointer[string]
	all := int64(l.Calls())
	l.Progress = func(e *lab.Experiment, way *lab.Way) {
		calls.Add(1)
		text := e.Name + ", " + way.Name
		at.Store(&text)
	}
	return startBar(w, func() barState {
		state := barState{done: calls.Load(), all: all}
		if text := at.Load(); text != nil {
			state.text = *text
		}
		return state
	})
}

// barState is what a bar shows.
type barState struct {
	done, all int64
	text      string
}

// startBar draws a bar of what state says, ten times a second, until the function
// that it returns is called, which takes the bar away.
func startBar(w io.Writer, state func() barState) (end func()) {
	bar := progressbar.NewOptions64(max(state().all, 1),
		progressbar.OptionSetWriter(w),
		progressbar.OptionSetDescription("starting"),
		progressbar.OptionSetWidth(24),
		progressbar.OptionShowCount(),
		progressbar.OptionSetElapsedTime(true),
		progressbar.OptionSetPredictTime(false),
		progressbar.OptionClearOnFinish(),
		progressbar.OptionSetTheme(progressbar.Theme{Saucer: "█", SaucerPadding: "░", BarStart: "▕", BarEnd: "▏"}),
	)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				_ = bar.Exit()
				// The whole line: Ctrl-C leaves a ^C behind the bar.
				fmt.Fprint(w, eraser(w))
				return
			case <-tick.C:
				at := state()
				if at.text != "" {
					bar.Describe(fmt.Sprintf("%-24.32s", at.text))
				}
				if at.all > 0 && at.all != bar.GetMax64() {
					bar.ChangeMax64(at.all)
				}
				_ = bar.Set64(at.done)
			}
		}
	}()
	return sync.OnceFunc(func() {
		close(stop)
		<-stopped
	})
}
