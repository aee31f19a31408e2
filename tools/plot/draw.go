package main

import (
	"bytes"
	"image/color"
	"os"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Colours that people tell apart who see few (Okabe and Ito), on white: a page may be dark.
var colours = [ways]color.Color{
	floors:       color.RGBA{0xbb, 0xbb, 0xbb, 0xff},
	conventional: color.RGBA{0xe6, 0x9f, 0x00, 0xff},
	thisSystem:   color.RGBA{0x00, 0x72, 0xb2, 0xff},
}

const (
	barWidth = 9 * vg.Millimeter / 2
	rowGap   = 4 * vg.Millimeter
	width    = 24 * vg.Centimeter
	margins  = 35 * vg.Millimeter // of the title, the axis and the legend
	farthest = 3                  // where a relative bar ends that is longer
)

// drawChart draws a chart to a file.
func drawChart(c chart, rows []row, file string) error {
	plot.DefaultFont.Variant, plotter.DefaultFont.Variant = "Sans", "Sans"
	p := plot.New()
	p.Title.Text, p.Title.Padding, p.X.Label.Text = c.title, 4*vg.Millimeter, c.axis
	p.BackgroundColor = color.White
	p.Legend.Top = true
	shown := 0
	for way := range int(ways) {
		if measured(rows, way) {
			shown++
		}
	}
	place := vg.Length(shown-1) * barWidth / 2
	for way := range int(ways) {
		if !measured(rows, way) {
			continue
		}
		if err := drawBars(p, c, rows, way, place); err != nil {
			return err
		}
		place -= barWidth
	}
	names := make([]string, len(rows))
	for i, r := range rows {
		names[len(rows)-1-i] = r.label + room
	}
	p.NominalY(names...)
	p.X.Min = 0
	p.X.Max *= 1.35 // for the legend, and for what is written at the longest bar
	height := vg.Length(len(rows))*(vg.Length(shown)*barWidth+rowGap) + margins
	return save(p, height, file)
}

// room is for fonts that are wider than the one that was reckoned with.
const room = "      "

// save writes SVG, which looks for fonts of the same widths where the plot's own is missing.
func save(p *plot.Plot, height vg.Length, file string) error {
	w, err := p.WriterTo(width, height, "svg")
	if err != nil {
		return err
	}
	var text bytes.Buffer
	if _, err := w.WriteTo(&text); err != nil {
		return err
	}
	svg := bytes.ReplaceAll(text.Bytes(), []byte("font-family:Liberation Sans"), []byte("font-family:Liberation Sans,Arial,Helvetica,sans-serif"))
	return os.WriteFile(file, svg, 0o644) //nolint:gosec // for everybody to read
}

func measured(rows []row, way int) bool {
	return slices.ContainsFunc(rows, func(r row) bool { return r.values[way] > 0 })
}

// drawBars draws the bars of one way, the first row at the top.
func drawBars(p *plot.Plot, c chart, rows []row, way int, place vg.Length) error {
	values := make(plotter.Values, len(rows))
	ends := plotter.XYLabels{}
	for i, r := range rows {
		at := len(rows) - 1 - i
		values[at] = r.values[way]
		if c.relative {
			values[at] = min(values[at], farthest)
		}
		if r.values[way] > 0 {
			ends.XYs = append(ends.XYs, plotter.XY{X: values[at], Y: float64(at)})
			ends.Labels = append(ends.Labels, " "+r.texts[way]+map[bool]string{true: " →"}[r.values[way] > values[at]])
		}
	}
	bars, err := plotter.NewBarChart(values, barWidth)
	if err != nil {
		return err
	}
	bars.Horizontal, bars.Offset, bars.Color, bars.LineStyle.Width = true, place, colours[way], 0
	p.Add(bars)
	p.Legend.Add(wayNames[way]+room, bars)
	if len(ends.XYs) == 0 {
		return nil
	}
	written, err := plotter.NewLabels(ends)
	if err != nil {
		return err
	}
	written.Offset.Y = place
	for i := range written.TextStyle {
		written.TextStyle[i].YAlign = draw.YCenter
		written.TextStyle[i].Font.Size = vg.Points(8)
	}
	p.Add(written)
	return nil
}
