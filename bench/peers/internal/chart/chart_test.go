package chart

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func figure() Figure {
	return Figure{
		Title:   "A & B",
		Caption: "<caption>",
		Columns: 2,
		Panels: []Panel{
			{Title: "one", X: Axis{Label: "x"}, Series: []Series{
				{"first", []Point{{1, 10, "p"}, {10, 100, "q"}, {5, 0, "no place for this"}}},
				{"second", []Point{{2, 20, "r"}}},
			}},
			{Title: "two", Series: []Series{{"second", []Point{{1, 1, "s"}}}}},
			{Title: "empty"},
		},
	}
}

func TestFigureIsWellFormed(t *testing.T) {
	var out bytes.Buffer
	if err := figure().WriteSVG(&out); err != nil {
		t.Fatal(err)
	}
	d := xml.NewDecoder(bytes.NewReader(out.Bytes()))
	count := map[string]int{}
	texts := ""
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, &out)
		}
		switch token := token.(type) {
		case xml.StartElement:
			count[token.Name.Local]++
			for _, a := range token.Attr {
				if a.Value == "mark" {
					count["mark"]++
				}
				if strings.Contains(a.Value, "NaN") || strings.Contains(a.Value, "Inf") {
					t.Errorf("%s=%q", a.Name.Local, a.Value)
				}
			}
		case xml.CharData:
			texts += string(token)
		}
	}
	// Two in the legend, four points that can be seen.
	if count["mark"] != 2+4 || count["polyline"] != 1 || count["title"] != 4 {
		t.Errorf("elements %v", count)
	}
	for _, want := range []string{"A & B", "<caption>", "first: p", "second: s", "two", "empty"} {
		if !strings.Contains(texts, want) {
			t.Errorf("%q is not in the figure", want)
		}
	}
	if strings.Contains(texts, "no place") {
		t.Error("a point at 0 is drawn")
	}
}

// More is further up and further to the right.
func TestWhereMarksAre(t *testing.T) {
	var out bytes.Buffer
	f := Figure{Panels: []Panel{{Series: []Series{{"s", []Point{{1, 10, "little"}, {10, 100, "much"}}}}}}}
	if err := f.WriteSVG(&out); err != nil {
		t.Fatal(err)
	}
	var x, y [2]float64
	for i, note := range []string{"little", "much"} {
		mark := regexp.MustCompile(`translate\(([0-9.]+) ([0-9.]+)\)"[^<]*<title>s: ` + note).FindSubmatch(out.Bytes())
		if mark == nil {
			t.Fatalf("no mark for %s in\n%s", note, &out)
		}
		fmt.Sscan(string(mark[1]), &x[i])
		fmt.Sscan(string(mark[2]), &y[i])
	}
	if !(0 < x[0] && x[0] < x[1] && x[1] < panelWidth && panelHeight > y[0] && y[0] > y[1] && y[1] > 0) {
		t.Errorf("x %v, y %v in a panel of %d × %d", x, y, panelWidth, panelHeight)
	}
}

func TestScale(t *testing.T) {
	s := scaleOf([]float64{1, 1000}, 300)
	if a, b, c := s.at(1), s.at(10), s.at(1000); !(0 < a && a < b && b < c && c < 300) {
		t.Errorf("1, 10, 1000 are at %v, %v, %v of 300", a, b, c)
	}
	if a, b := s.at(10)-s.at(1), s.at(1000)-s.at(100); math.Abs(a-b) > 1e-6 {
		t.Errorf("a decade is %v wide, another %v", a, b)
	}
	flat := scaleOf([]float64{1, 1.01}, 100)
	if d := flat.at(1.01) - flat.at(1); d > 2 {
		t.Errorf("a hundredth more is %v of 100 pixels", d)
	}
}

func TestTicks(t *testing.T) {
	for _, test := range []struct {
		low, high float64
		binary    bool
		want      []float64
	}{
		{1, 1000, false, []float64{1, 10, 100, 1000}},
		{0.02, 2, false, []float64{0.03, 0.1, 0.3, 1}},
		{9, 60, false, []float64{10, 20, 50}},
		{0.9, 3.5, false, []float64{1, 1.5, 2, 3}},
		{0.9, 5, true, []float64{1, 2, 4}},
		{1 << 20, 5 << 20, true, []float64{1 << 20, 2 << 20, 4 << 20}},
		{0.9, 1 << 11, true, []float64{1, 4, 16, 64, 256, 1024}},
	} {
		got := scale{test.low, test.high, 100}.ticks(test.binary)
		if !slices.Equal(got, test.want) {
			t.Errorf("from %v to %v: ticks %v, want %v", test.low, test.high, got, test.want)
		}
	}
	if n := len(scale{1e-9, 1e9, 100}.ticks(false)); n < 3 || n > 8 {
		t.Errorf("%d ticks over 18 decades", n)
	}
}
