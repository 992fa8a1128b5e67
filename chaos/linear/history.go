package linear

import (
	"cmp"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"
)

// History is what the clients saw.
type History struct {
	Operations []porcupine.Operation
	Made       int          // calls that have returned nil
	Unknown    int          // calls that may have written or not
	Lost       map[Kind]int // calls that lost against others
}

func (h *History) add(more *History) {
	h.Operations = append(h.Operations, more.Operations...)
	h.Made += more.Made
	h.Unknown += more.Unknown
	for kind, n := range more.Lost {
		h.Lost[kind] += n
	}
}

// Check looks for an order of the operations, for as long as limit: Ok if there is
// one, Illegal if there is none, Unknown if the time is over.
func (h *History) Check(limit time.Duration) porcupine.CheckResult {
	return porcupine.CheckOperationsTimeout(Model, h.Operations, limit)
}

// Draw writes the history, and how far an order was found, as a page of HTML.
func (h *History) Draw(path string, limit time.Duration) error {
	_, info := porcupine.CheckOperationsVerbose(Model, h.lanes(), limit)
	return porcupine.VisualizePath(Model, info, path)
}

// lanes are the operations with a number a lane for their client's, as one client's
// overlap.
func (h *History) lanes() []porcupine.Operation {
	drawn := slices.Clone(h.Operations)
	slices.SortStableFunc(drawn, func(a, b porcupine.Operation) int {
		return cmp.Or(cmp.Compare(a.ClientId, b.ClientId), cmp.Compare(a.Call, b.Call))
	})
	free, first, client := []int64{}, 0, 0 // when a lane ends, and where the client's begin
	for i := range drawn {
		op := &drawn[i]
		if op.ClientId != client {
			first, client = len(free), op.ClientId
		}
		lane := slices.IndexFunc(free[first:], func(end int64) bool { return end < op.Call })
		if lane < 0 {
			lane = len(free) - first
			free = append(free, 0)
		}
		op.ClientId = first + lane
		free[op.ClientId] = op.Return
	}
	return drawn
}
