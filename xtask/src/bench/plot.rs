//! A picture of what a benchmark printed: one bar a row, from level with its reference to as many times as good.

use std::fmt::Write as _;

use serde_json::Value;

/// One row of a benchmark's JSON lines.
#[derive(Debug, PartialEq)]
struct Row {
    name: String,
    reference: String,
    ratio: f64,
}

/// Pixels: of a row's height, of the names on the left, of the bars.
const ROW: usize = 22;
const NAMES: f64 = 300.0;
const BARS: f64 = 420.0;

/// The axis: powers of two, from a quarter to sixteen times as good.
const FROM: f64 = -2.0;
const TO: f64 = 4.0;

/// The rows of a benchmark's output as an SVG, those of one reference below its name; `None` where no line is a row with a
/// ratio.
pub(crate) fn svg(area: &str, output: &str) -> Option<String> {
    let rows: Vec<Row> = output.lines().filter_map(row).collect();
    let (mut body, mut line, mut reference) = (String::new(), 1, None);
    for row in &rows {
        if reference != Some(&row.reference) {
            reference = Some(&row.reference);
            heading(&mut body, line, &row.reference);
            line += 1;
        }
        bar(&mut body, line, row);
        line += 1;
    }
    reference?;
    let (width, height) = (NAMES + BARS + 70.0, (line + 2) * ROW);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" role=\"img\" \
         aria-label=\"{area}: one bar a row, beside its reference\">\n{STYLE}\n\
         <text x=\"8\" y=\"{ROW}\" class=\"title\">{area} (to the right: better than the reference)</text>\n",
    );
    axis(&mut svg, line);
    svg.push_str(&body);
    svg.push_str("</svg>\n");
    Some(svg)
}

fn axis(svg: &mut String, lines: usize) {
    for power in [-2, -1, 0, 1, 2, 3, 4] {
        let x = place(f64::from(power));
        let class = if power == 0 { "level" } else { "grid" };
        let bottom = (lines + 1) * ROW;
        let _ = writeln!(
            svg,
            "<line x1=\"{x:.0}\" x2=\"{x:.0}\" y1=\"{}\" y2=\"{bottom}\" class=\"{class}\"/>",
            2 * ROW - 6
        );
        let label = 2f64.powi(power);
        let _ = writeln!(svg, "<text x=\"{x:.0}\" y=\"{}\" class=\"scale\">{label}×</text>", bottom + 14);
    }
}

fn heading(svg: &mut String, line: usize, reference: &str) {
    let baseline = (line + 1) * ROW + 12;
    let _ = writeln!(
        svg,
        "<text x=\"8\" y=\"{baseline}\" class=\"reference\">beside {}</text>",
        escaped(reference)
    );
}

fn bar(svg: &mut String, line: usize, row: &Row) {
    let top = (line + 1) * ROW;
    let (level, end) = (place(0.0), place(row.ratio.log2()));
    let (x, width) = (level.min(end), (end - level).abs().max(1.0));
    let class = if row.ratio < 1.0 { "slower" } else { "faster" };
    let baseline = top + 12;
    let _ = writeln!(svg, "<text x=\"8\" y=\"{baseline}\">{}</text>", escaped(&row.name));
    let _ = writeln!(
        svg,
        "<rect x=\"{x:.1}\" y=\"{top}\" width=\"{width:.1}\" height=\"15\" class=\"{class}\"/>"
    );
    let _ =
        writeln!(svg, "<text x=\"{:.0}\" y=\"{baseline}\">{}</text>", NAMES + BARS + 10.0, shown(row.ratio));
}

/// Where a power of two lies on the axis.
fn place(power: f64) -> f64 {
    NAMES + BARS * (power.clamp(FROM, TO) - FROM) / (TO - FROM)
}

/// With as many digits as there is room for.
fn shown(ratio: f64) -> String {
    match ratio {
        ratio if ratio < 100.0 => format!("{ratio:.2}"),
        ratio if ratio < 1000.0 => format!("{ratio:.0}"),
        _ => "> 1000".to_owned(),
    }
}

fn row(line: &str) -> Option<Row> {
    let row: Value = serde_json::from_str(line).ok()?;
    let text = |key: &str| row.get(key)?.as_str().map(str::to_owned);
    Some(Row { name: text("name")?, reference: text("reference_name")?, ratio: row.get("ratio")?.as_f64()? })
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

/// Legible on a light page and on a dark one.
const STYLE: &str = "<style>
text { font: 13px ui-sans-serif, system-ui, sans-serif; fill: #1f2328 }
.title { font-weight: 600 } .reference { font-style: italic } .scale { text-anchor: middle; fill: #59636e; font-size: 11px }
.grid { stroke: #d1d9e0 } .level { stroke: #1f2328 } .faster { fill: #2da44e } .slower { fill: #bf8700 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .scale { fill: #9198a1 } .grid { stroke: #3d444d } .level { stroke: #e6edf3 }
}
</style>";

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "{\"name\":\"decode/a<b\",\"ours\":10.0,\"reference\":25.0,\"reference_name\":\"other 1.0\",\"unit\":\"ns\",\"ratio\":2.500}";

    #[test]
    fn a_line_is_a_row() {
        let expected = Row { name: "decode/a<b".to_owned(), reference: "other 1.0".to_owned(), ratio: 2.5 };
        assert_eq!(row(LINE), Some(expected));
        assert_eq!(row("something else"), None);
        assert_eq!(svg("codec", "something else"), None);
    }

    #[test]
    fn a_picture_has_a_bar_for_each_row() {
        let other = LINE.replace("other 1.0", "another");
        let svg = svg("codec", &format!("{LINE}\n{LINE}\n{other}\n")).unwrap();
        assert_eq!(svg.matches("<rect").count(), 3);
        assert_eq!(svg.matches("class=\"reference\"").count(), 2);
        assert!(svg.contains("decode/a&lt;b") && !svg.contains("a<b"));
    }

    #[test]
    fn a_ratio_has_room() {
        assert_eq!([1.097, 227.5, 4_194_525.0].map(shown), ["1.10", "228", "> 1000"]);
    }

    #[test]
    fn the_axis_is_logarithmic_and_ends() {
        assert_eq!(place(FROM), NAMES);
        assert_eq!(place(TO), NAMES + BARS);
        assert_eq!(place(99.0), NAMES + BARS);
        assert!((place(1.0) - place(0.0) - BARS / 6.0).abs() < 1e-9);
    }
}
