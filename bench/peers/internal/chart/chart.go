// Package chart draws figures of panels with lines in them, as SVG. Both axes of a
// panel are logarithmic, since what is drawn here is compared by ratio.
package chart

import (
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
)

// A Figure is a grid of panels under a title and one legend.
type Figure struct {
	Title   string
	Caption string // one line below the title
	Columns int    // panels in a row
	Panels  []Panel
}

// A Panel is one diagram.
type Panel struct {
	Title  string
	X, Y   Axis
	Series []Series
}

// An Axis says what is shown along one side of a panel.
type Axis struct {
	Label  string
	Format func(float64) string // of the numbers at the ticks
	Binary bool                 // ticks are powers of two
}

// A Series is a line through points. Series of one name look alike in all panels
// of a figure.
type Series struct {
	Name   string
	Points []Point
}

// A Point has coordinates above 0; other points are left out.
type Point struct {
	X, Y float64
	Note string // shown when the point is pointed at
}

// Sizes in pixels.
const (
	panelWidth  = 300
	panelHeight = 210
	leftMargin  = 62 // of each panel, for the numbers
	rightMargin = 14
	topMargin   = 30
	lowMargin   = 48
	cellWidth   = leftMargin + panelWidth + rightMargin
	cellHeight  = topMargin + panelHeight + lowMargin
	headHeight  = 54
	legendLine  = 20
	legendEntry = 180
)

// colours that people with any kind of colour vision can tell apart (Okabe and
// Ito, "Color universal design", 2008), and that show on white.
var colours = []string{"#d55e00", "#0072b2", "#56b4e9", "#009e73", "#cc79a7", "#000000", "#e69f00", "#999999", "#8a6d00", "#5b3a9e"}

// marks are the shapes of points, drawn around 0, 0.
var marks = []string{
	`<circle r="4"/>`,
	`<rect x="-3.5" y="-3.5" width="7" height="7"/>`,
	`<path d="M0-5L4.6 3.5H-4.6Z"/>`,
	`<path d="M0-5L5 0L0 5L-5 0Z"/>`,
	`<path d="M0 5L4.6-3.5H-4.6Z"/>`,
}

// WriteSVG draws f.
func (f Figure) WriteSVG(w io.Writer) error {
	names := f.names()
	columns := max(f.Columns, 1)
	rows := (len(f.Panels) + columns - 1) / columns
	width := columns*cellWidth + rightMargin
	perLine := max((width-leftMargin)/legendEntry, 1)
	legendHeight := (len(names)+perLine-1)/perLine*legendLine + 8
	height := headHeight + legendHeight + rows*cellHeight

	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", width, height, width, height)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#fff"/>`+"\n", width, height)
	text(&b, leftMargin, 24, `font-size="17" font-weight="bold"`, f.Title)
	text(&b, leftMargin, 43, `fill="#555"`, f.Caption)

	look := map[string]int{}
	for i, name := range names {
		look[name] = i
		x := leftMargin + i%perLine*legendEntry
		y := headHeight + i/perLine*legendLine + 8
		fmt.Fprintf(&b, `<path d="M%d %dh24" stroke="%s" stroke-width="2"/>`, x, y, colour(i))
		mark(&b, float64(x+12), float64(y), i, "")
		text(&b, float64(x+30), float64(y+4), "", name)
	}
	for i, p := range f.Panels {
		x := i % columns * cellWidth
		y := headHeight + legendHeight + i/columns*cellHeight
		fmt.Fprintf(&b, `<g transform="translate(%d %d)">`+"\n", x+leftMargin, y+topMargin)
		p.draw(&b, look)
		b.WriteString("</g>\n")
	}
	b.WriteString("</svg>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// names returns the names of all series, in the order of their first appearance.
func (f Figure) names() []string {
	var names []string
	for _, p := range f.Panels {
		for _, s := range p.Series {
			if !slices.Contains(names, s.Name) {
				names = append(names, s.Name)
			}
		}
	}
	return names
}

func (p Panel) draw(b *strings.Builder, look map[string]int) {
	var xs, ys []float64
	for _, s := range p.Series {
		for _, q := range s.visible() {
			xs, ys = append(xs, q.X), append(ys, q.Y)
		}
	}
	x, y := scaleOf(xs, panelWidth), scaleOf(ys, panelHeight)
	top := func(v float64) float64 { return panelHeight - y.at(v) }

	text(b, 0, -9, `font-weight="bold"`, p.Title)
	for _, v := range x.ticks(p.X.Binary) {
		fmt.Fprintf(b, `<path d="M%.1f 0V%d" stroke="#e4e4e4"/>`, x.at(v), panelHeight)
		text(b, x.at(v), panelHeight+16, `text-anchor="middle" font-size="11"`, p.X.format(v))
	}
	for _, v := range y.ticks(p.Y.Binary) {
		fmt.Fprintf(b, `<path d="M0 %.1fH%d" stroke="#e4e4e4"/>`, top(v), panelWidth)
		text(b, -6, top(v)+4, `text-anchor="end" font-size="11"`, p.Y.format(v))
	}
	fmt.Fprintf(b, `<rect width="%d" height="%d" fill="none" stroke="#888"/>`+"\n", panelWidth, panelHeight)
	text(b, panelWidth/2, panelHeight+34, `text-anchor="middle" fill="#555"`, p.X.Label)
	if p.Y.Label != "" {
		text(b, panelWidth, -9, `text-anchor="end" fill="#555"`, p.Y.Label)
	}

	// The first series is drawn last, on top of the others.
	for _, s := range slices.Backward(p.Series) {
		i := look[s.Name]
		var line []string
		for _, q := range s.visible() {
			line = append(line, fmt.Sprintf("%.1f,%.1f", x.at(q.X), top(q.Y)))
		}
		if len(line) > 1 {
			fmt.Fprintf(b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>`, strings.Join(line, " "), colour(i))
		}
		for _, q := range s.visible() {
			mark(b, x.at(q.X), top(q.Y), i, s.Name+": "+q.Note)
		}
		b.WriteString("\n")
	}
}

// visible returns the points that a logarithmic axis has a place for.
func (s Series) visible() []Point {
	return slices.DeleteFunc(slices.Clone(s.Points), func(p Point) bool {
		return !(p.X > 0 && p.Y > 0) || math.IsInf(p.X, 0) || math.IsInf(p.Y, 0)
	})
}

func (a Axis) format(v float64) string {
	if a.Format == nil {
		return fmt.Sprintf("%g", v)
	}
	return a.Format(v)
}

func colour(i int) string { return colours[i%len(colours)] }

func mark(b *strings.Builder, x, y float64, i int, note string) {
	fmt.Fprintf(b, `<g class="mark" transform="translate(%.1f %.1f)" fill="%s">`, x, y, colour(i))
	if note != "" {
		fmt.Fprintf(b, "<title>%s</title>", escaped(note))
	}
	fmt.Fprintf(b, "%s</g>", marks[i%len(marks)])
}

func text(b *strings.Builder, x, y float64, attributes, s string) {
	fmt.Fprintf(b, `<text x="%.1f" y="%.1f" %s>%s</text>`+"\n", x, y, attributes, escaped(s))
}

func escaped(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a Builder takes everything
	return b.String()
}

// A scale maps values to pixels, by their logarithms.
type scale struct {
	low, high float64 // values at the two ends
	pixels    float64
}

// scaleOf returns a scale that shows all of values, with some room around them.
func scaleOf(values []float64, pixels float64) scale {
	if len(values) == 0 {
		return scale{1, 10, pixels}
	}
	low, high := slices.Min(values), slices.Max(values)
	room := math.Pow(high/low, 0.06)
	low, high = low/room, high*room
	// A line that is nearly flat shall look flat.
	if span := high / low; span < 4 {
		widen := math.Sqrt(4 / span)
		low, high = low/widen, high*widen
	}
	return scale{low, high, pixels}
}

func (s scale) at(v float64) float64 {
	return s.pixels * math.Log(v/s.low) / math.Log(s.high/s.low)
}

// ticks returns round numbers on the scale: from three to about eight.
func (s scale) ticks(binary bool) []float64 {
	if binary {
		return thinned(s.powers(2, []float64{1}))
	}
	for _, steps := range [][]float64{{1}, {1, 3}, {1, 2, 5}} {
		if ticks := s.powers(10, steps); len(ticks) >= 3 {
			return thinned(ticks)
		}
	}
	return s.powers(10, []float64{1, 1.5, 2, 3, 4, 6, 8})
}

// powers returns the multiples of the powers of base that lie on the scale.
func (s scale) powers(base float64, steps []float64) []float64 {
	var all []float64
	first := math.Floor(math.Log(s.low) / math.Log(base))
	for power := first; math.Pow(base, power) <= s.high; power++ {
		for _, step := range steps {
			v := step * math.Pow(base, power)
			if base == 10 {
				v = round(v)
			}
			if v >= s.low && v <= s.high {
				all = append(all, v)
			}
		}
	}
	return all
}

// thinned leaves out all but every second or third of many ticks, and so on.
func thinned(ticks []float64) []float64 {
	const most = 8
	every := (len(ticks) + most - 1) / most
	if every < 2 {
		return ticks
	}
	var few []float64
	for i := 0; i < len(ticks); i += every {
		few = append(few, ticks[i])
	}
	return few
}

// round returns the number of two digits that is nearest to v.
func round(v float64) float64 {
	r, _ := strconv.ParseFloat(strconv.FormatFloat(v, 'e', 1, 64), 64)
	return r
}
