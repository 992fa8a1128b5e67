package soak

import (
	"bytes"
	"fmt"
	"image/color"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

const (
	chartWidth  = 22 * vg.Centimeter
	chartHeight = 24 * vg.Centimeter
	columns     = 2
)

// Chart draws the lines over time, each from zero on, as an SVG.
func (r *Result) Chart() ([]byte, error) {
	plots := make([][]*plot.Plot, (len(lines)+columns-1)/columns)
	for i, l := range lines {
		p, err := r.plot(l)
		if err != nil {
			return nil, err
		}
		plots[i/columns] = append(plots[i/columns], p)
	}
	canvas := vgsvg.New(chartWidth, chartHeight)
	area := draw.New(canvas)
	area.SetColor(color.White)
	area.Fill(area.Rectangle.Path())
	tiles := draw.Tiles{Rows: len(plots), Cols: columns, PadX: 16, PadY: 14, PadTop: 8, PadBottom: 8, PadLeft: 8, PadRight: 16}
	for y, row := range plot.Align(plots, tiles, area) {
		for x, c := range row {
			plots[y][x].Draw(c)
		}
	}
	var b bytes.Buffer
	_, err := canvas.WriteTo(&b)
	return b.Bytes(), err
}

func (r *Result) plot(l line) (*plot.Plot, error) {
	p := plot.New()
	p.Title.Text = l.title
	if l.unit != "" {
		p.Title.Text += ", " + l.unit
	}
	p.Title.TextStyle.Font.Size, p.Title.Padding = 11, 4
	p.X.Tick.Label.Font.Size, p.Y.Tick.Label.Font.Size = 9, 9
	p.X.Label.Text, p.X.Label.TextStyle.Font.Size = "seconds", 9
	points := make(plotter.XYs, len(r.Samples))
	for i, s := range r.Samples {
		points[i] = plotter.XY{X: s.At, Y: l.value(s)}
	}
	drawn, err := plotter.NewLine(points)
	if err != nil {
		return nil, fmt.Errorf("soak: %s: %w", l.title, err)
	}
	drawn.Color, drawn.Width = color.RGBA{G: 114, B: 178, A: 255}, 1.5
	grid := plotter.NewGrid()
	grid.Horizontal.Color, grid.Vertical.Color = color.Gray{225}, color.Gray{225}
	p.Add(grid, drawn)
	p.X.Min, p.Y.Min = 0, 0
	p.Y.Max = max(1, p.Y.Max*1.15)
	p.Y.Tick.Marker = plain{}
	return p, nil
}

// plain are ticks without exponents.
type plain struct{}

// Ticks implements plot.Ticker.
func (plain) Ticks(low, high float64) []plot.Tick {
	ticks := plot.DefaultTicks{}.Ticks(low, high)
	for i, t := range ticks {
		if t.Label != "" {
			ticks[i].Label = strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%.2f", t.Value), "0"), ".")
		}
	}
	return ticks
}
