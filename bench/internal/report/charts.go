package report

import (
	"bytes"
	"fmt"
	"image/color"
	"math"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"

	"github.com/m2msafe/m2msafe/bench/internal/contender"
)

const chartFolder = "benchmarks"

// chart is one picture.
type chart struct {
	file, title, axis string
	// The cases: all below a prefix as a line, or one as bars.
	prefix, name string
	unit         string
	of           string // draw multiples of this contender's
	who          []contender.Contender
}

func (r *Results) charts() []chart {
	const multiple = "time, hand-written statement = 1"
	list := []chart{
		{file: "new.svg", title: "New links in one call", axis: multiple, prefix: "Link/model=plain/links=new", unit: seconds, of: contender.Floor},
		{file: "existing.svg", title: "Links that are there already, in one call", axis: multiple, prefix: "Link/model=plain/links=existing", unit: seconds, of: contender.Floor},
		{file: "memory.svg", title: "Memory that a call allocates, new links", axis: "bytes", prefix: "Link/model=plain/links=new", unit: bytesUnit},
		{file: "one-owner.svg", title: "Eight writers add the same groups to one user", axis: "milliseconds until all are done", name: "Writers/model=plain/work=one-owner", unit: seconds},
		{file: "shuffled.svg", title: "Eight writers, shuffled targets from both sides", axis: "milliseconds until all are done", name: "Writers/model=plain/work=shuffled", unit: seconds},
		{file: "delay.svg", title: "One new link, with 1 ms each way to the server", axis: "milliseconds a call", name: "Delay/model=plain/links=new", unit: seconds},
	}
	for i := range list {
		list[i].who = contender.All()
	}
	for _, name := range r.bulkCases() {
		if strings.HasSuffix(name, "order=random") {
			list = append(list, chart{
				file: "bulk.svg", title: r.BulkPairs() + " new links in random order", axis: "milliseconds for all of them",
				name: name, unit: seconds, who: contender.Bulk(),
			})
		}
	}
	return list
}

// style tells the contenders apart, by shape as well as by colour. The colours
// are of Okabe and Ito's palette, which people with any kind of colour vision can
// tell apart.
type style struct {
	color  color.Color
	shape  draw.GlyphDrawer
	dashes []vg.Length
}

var styles = map[string]style{
	contender.Stock:    {color.RGBA{A: 255}, draw.BoxGlyph{}, []vg.Length{8, 3}},
	contender.Plugin:   {color.RGBA{G: 114, B: 178, A: 255}, draw.CircleGlyph{}, nil},
	contender.Floor:    {color.RGBA{G: 158, B: 115, A: 255}, draw.PyramidGlyph{}, []vg.Length{2, 2}},
	contender.Ent:      {color.RGBA{R: 213, G: 94, A: 255}, draw.CrossGlyph{}, []vg.Length{6, 2, 2, 2}},
	contender.Bun:      {color.RGBA{R: 204, G: 121, B: 167, A: 255}, draw.SquareGlyph{}, []vg.Length{4, 2}},
	contender.Copy:     {color.RGBA{G: 158, B: 115, A: 255}, draw.PyramidGlyph{}, []vg.Length{2, 2}},
	contender.CopyTemp: {color.RGBA{R: 230, G: 159, A: 255}, draw.RingGlyph{}, []vg.Length{10, 2, 2, 2}},
	contender.Check:    {color.RGBA{R: 230, G: 159, A: 255}, draw.RingGlyph{}, []vg.Length{10, 2, 2, 2}},
}

const (
	chartWidth = 20 * vg.Centimeter
	lineHeight = 12 * vg.Centimeter
	barHeight  = 8 * vg.Centimeter
)

func (r *Results) draw(c chart) ([]byte, error) {
	p := plot.New()
	p.Title.Text, p.Title.TextStyle.Font.Size, p.Title.Padding = c.title, 14, 10
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Label.TextStyle.Font.Size, axis.Tick.Label.Font.Size, axis.Label.Padding = 12, 11, 6
	}
	height, fill := lineHeight, r.lines
	if c.prefix == "" {
		height, fill = barHeight, r.bars
	}
	if err := fill(p, c); err != nil {
		return nil, err
	}
	canvas := vgsvg.New(chartWidth, height)
	// Room at the right for a bar's figure and the last tick's label.
	area := draw.Crop(draw.New(canvas), 4, -24, 4, -6)
	background := draw.New(canvas)
	background.SetColor(color.White)
	background.Fill(background.Rectangle.Path())
	p.Draw(area)
	var b bytes.Buffer
	_, err := canvas.WriteTo(&b)
	return b.Bytes(), err
}

// points are a contender's medians with their confidence intervals.
type points struct {
	plotter.XYs
	plotter.YErrors
}

func (r *Results) points(c chart, contenderName string) (points, error) {
	var ps points
	names, rest := r.Cases(c.prefix)
	for i, name := range names {
		v, ok := r.Value(name, contenderName, c.unit)
		if !ok {
			continue
		}
		n, err := strconv.ParseFloat(strings.TrimPrefix(rest[i], "n="), 64)
		if err != nil {
			return ps, fmt.Errorf("%s has no number of links: %w", name, err)
		}
		by := 1.0
		if c.of != "" {
			of, ok := r.Value(name, c.of, c.unit)
			if !ok {
				continue
			}
			by = of.Center
		}
		ps.XYs = append(ps.XYs, plotter.XY{X: n, Y: v.Center / by})
		ps.YErrors = append(ps.YErrors, struct{ Low, High float64 }{finite(v.Center-v.Lo) / by, finite(v.Hi-v.Center) / by})
	}
	return ps, nil
}

// finite is 0 for an interval without an end, which can't be drawn.
func finite(x float64) float64 {
	if math.IsInf(x, 0) || math.IsNaN(x) {
		return 0
	}
	return x
}

func (r *Results) lines(p *plot.Plot, c chart) error {
	p.X.Label.Text, p.Y.Label.Text = "links in the call", c.axis
	p.X.Scale, p.Y.Scale = plot.LogScale{}, plot.LogScale{}
	p.X.Tick.Marker, p.Y.Tick.Marker = ticks{}, ticks{unit: units[c.unit]}
	if c.of != "" {
		p.Y.Tick.Marker = ticks{small: true}
	}
	p.Y.Tick.Label.YAlign = draw.YCenter
	grid := plotter.NewGrid()
	grid.Horizontal.Color, grid.Vertical.Color = color.Gray{225}, color.Gray{225}
	p.Add(grid)
	for _, who := range c.who {
		ps, err := r.points(c, who.Name)
		if err != nil {
			return err
		}
		if len(ps.XYs) == 0 {
			continue
		}
		line, dots, err := plotter.NewLinePoints(ps)
		if err != nil {
			return err
		}
		bars, err := plotter.NewYErrorBars(ps)
		if err != nil {
			return err
		}
		s := styles[who.Name]
		line.Color, line.Width, line.Dashes = s.color, 1.5, s.dashes
		dots.Color, dots.Shape, dots.Radius = s.color, s.shape, 3.5
		bars.Color = s.color
		p.Add(line, bars, dots)
		p.Legend.Add(who.Title+" ", line, dots)
	}
	p.Legend.TextStyle.Font.Size, p.Legend.ThumbnailWidth = 11, 36
	p.Legend.Top, p.Legend.Left, p.Legend.Padding = true, true, 2
	// The legend stands in the corner that the lines leave free.
	if c.of != "" {
		p.Legend.Left = false
		p.Y.Min, p.Y.Max = math.Min(p.Y.Min, 0.8), p.Y.Max*1.5
	}
	return nil
}

// bars draws one bar a contender, with its figure.
func (r *Results) bars(p *plot.Plot, c chart) error {
	name := c.name
	if names, _ := r.Cases(c.name); len(names) > 0 {
		name = names[0] // the models differ in what comes after
	}
	if !slices.Contains(r.cases, name) {
		return fmt.Errorf("no results of %s", c.name)
	}
	p.X.Label.Text, p.X.Min = c.axis, 0
	var titles []string
	labels := plotter.XYLabels{}
	all := c.who
	for i := len(all) - 1; i >= 0; i-- { // the first on top
		v, ok := r.Value(name, all[i].Name, c.unit)
		if !ok {
			continue
		}
		at := float64(len(titles))
		bar, err := plotter.NewBarChart(plotter.Values{v.Center * 1000}, 18)
		if err != nil {
			return err
		}
		bar.Horizontal, bar.XMin, bar.Color, bar.LineStyle.Width = true, at, styles[all[i].Name].color, 0
		p.Add(bar)
		titles = append(titles, all[i].Title)
		labels.XYs = append(labels.XYs, plotter.XY{X: v.Center * 1000, Y: at})
		figure := scaled(v.Center, "s")
		if failed, ok := r.Value(name, all[i].Name, failures); ok && failed.Center > 0 {
			figure += ", " + count(failed.Center) + " failed" // it did less in its time
		}
		labels.Labels = append(labels.Labels, figure)
	}
	figures, err := plotter.NewLabels(labels)
	if err != nil {
		return err
	}
	for i := range figures.TextStyle {
		figures.TextStyle[i].Font.Size, figures.TextStyle[i].YAlign = 11, draw.YCenter
	}
	figures.Offset = vg.Point{X: 5, Y: 3}
	p.Add(figures)
	p.NominalY(titles...)
	p.X.Max *= 1.12
	return nil
}

// ticks are a logarithmic axis's, written as people write numbers.
type ticks struct {
	unit  string
	small bool // label 2 and 5 as well
}

// Ticks implements plot.Ticker.
func (t ticks) Ticks(low, high float64) (list []plot.Tick) {
	for decade := math.Pow(10, math.Floor(math.Log10(low))); decade <= high; decade *= 10 {
		for digit := 1.0; digit < 10; digit++ {
			value := decade * digit
			if value < low*0.999 || value > high*1.001 {
				continue
			}
			tick := plot.Tick{Value: value}
			if digit == 1 || t.small && (digit == 2 || digit == 5) {
				tick.Label = strconv.FormatFloat(value, 'g', 3, 64)
				if t.unit != "" {
					tick.Label = strings.NewReplacer(".00", "", ".0", "").Replace(scaled(value, t.unit))
				} else if value >= 1000 {
					tick.Label = count(value)
				}
			}
			list = append(list, tick)
		}
	}
	return list
}
