//! A picture as SVG: boxes in columns, links along lanes between them. Every text is measured wide and broken to fit its
//! box, and each colour has one for light and one for dark ground. It draws nothing that the picture does not hold.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::picture::{Card, End, Fate, Link, Picture, Sort};
use super::words::{escaped, fit, wide};

/// Of boxes, by column.
const WIDTHS: [f64; 4] = [150.0, 260.0, 250.0, 270.0];
const PAD: f64 = 12.0;
const MARGIN: f64 = 20.0;
const GAP: f64 = 18.0;
/// Between two links that run side by side.
const LANE: f64 = 9.0;
const LEAST_GUTTER: f64 = 56.0;
const LINE: f64 = 17.0;
/// What the legend takes.
const LEAST_WIDTH: f64 = 660.0;

const STYLE: &str = "\
svg{--ground:#fff;--ink:#1b1f24;--muted:#57606a;--box:#f6f8fa;--edge:#6e7781;--reads:#0a58ca;--writes:#116329;--acts:#7a3e00;--region:#0a58ca}\
@media (prefers-color-scheme:dark){svg{--ground:#0d1117;--ink:#e6edf3;--muted:#9da7b1;--box:#161b22;--edge:#8b949e;--reads:#79b8ff;--writes:#7ee787;--acts:#ffb77a;--region:#79b8ff}}\
text{font-family:system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif;font-size:12px;fill:var(--ink)}\
.ground{fill:var(--ground)}.region{fill:none;stroke:var(--region);stroke-width:2}.eu{fill:var(--region);font-weight:600;font-size:14px}\
.title{font-size:17px;font-weight:600}.heading{fill:var(--muted);font-weight:600}.name,.opens{fill:var(--muted);font-size:11px}.head{font-weight:600;font-size:13px}\
.card{fill:var(--box);stroke:var(--edge);stroke-width:1.5}.goes{stroke-dasharray:7 4}.theirs{stroke-dasharray:2 3}.ours{stroke-width:.8}\
.link{fill:none;stroke-width:1.6}.link.reads{stroke:var(--reads)}.link.writes{stroke:var(--writes)}.link.acts{stroke:var(--acts);stroke-dasharray:4 3}\
.tip.reads{fill:var(--reads)}.tip.writes{fill:var(--writes)}.tip.acts{fill:var(--acts)}";

/// A box where it stands.
struct Placed<'a> {
    card: &'a Card,
    column: usize,
    x: f64,
    y: f64,
    width: f64,
    height: f64,
    lines: Vec<Line<'a>>,
}

/// A line of text in a box, and the row it is of.
struct Line<'a> {
    text: String,
    class: &'static str,
    row: Option<&'a str>,
    /// Of its baseline, from the top of the box.
    y: f64,
}

/// Of each box by its id: its column, its lines, its height.
type Measured<'a> = BTreeMap<&'a str, (usize, Vec<Line<'a>>, f64)>;

/// An end of a link: which one, whether it leaves here, and the box at its other end.
type Leads = (usize, bool, usize);

/// The way of a link, before lanes are given.
struct Way<'a> {
    link: &'a Link,
    from: (usize, f64),
    to: (usize, f64),
}

/// The whole document.
pub(super) fn write(picture: &Picture) -> String {
    let sizes = measured(picture);
    let gutters = gutters(picture, &sizes);
    let (placed, headings, bottom) = place(picture, sizes, &gutters);
    let ways = ways(picture, &placed);
    let (links, lowest) = route(&ways, &placed, &gutters, bottom);
    let left = region_left(picture, &gutters);
    let width = (columns(&gutters).last().map_or(0.0, |(x, w)| x + w) + MARGIN + PAD).max(LEAST_WIDTH);
    let floor = lowest + PAD;
    let height = floor + 74.0;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" \
         height=\"{height:.0}\" role=\"img\" aria-labelledby=\"title says\">\n<title id=\"title\">{}</title>\n\
         <desc id=\"says\">{}</desc>\n<style>{STYLE}</style>\n<defs>\n",
        escaped(&picture.title),
        escaped(&picture.says),
    );
    for sort in Sort::ALL {
        let _ = writeln!(
            text,
            "<marker id=\"{0}\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" \
             markerUnits=\"userSpaceOnUse\" orient=\"auto\"><path class=\"tip {0}\" d=\"M0 0L8 4L0 8z\"/></marker>",
            sort.class()
        );
    }
    let _ = writeln!(text, "</defs>\n<rect class=\"ground\" width=\"{width:.0}\" height=\"{height:.0}\"/>");
    label(&mut text, "title", MARGIN, 32.0, &fit(&picture.title, width - 2.0 * MARGIN, 17.0, 1).join(""));
    let (x, w) = (left, width - MARGIN / 2.0 - left);
    let _ = writeln!(
        text,
        "<rect class=\"region\" x=\"{x:.0}\" y=\"48\" width=\"{w:.0}\" height=\"{:.0}\" rx=\"12\"/>",
        floor - 48.0
    );
    label(&mut text, "eu", x + PAD, 70.0, &picture.region);
    for (x, y, heading) in headings {
        label(&mut text, "heading", x, y, heading);
    }
    text.push_str(&links);
    for placed in &placed {
        draw(&mut text, placed);
    }
    legend(&mut text, floor + 26.0);
    text.push_str("</svg>\n");
    text
}

/// Each column's left edge and width, given the widths between them.
fn columns(gutters: &[f64]) -> Vec<(f64, f64)> {
    let mut x = MARGIN;
    let mut all = Vec::new();
    for (width, gutter) in WIDTHS.iter().zip(gutters) {
        all.push((x, *width));
        x += width + gutter;
    }
    all
}

/// Where the region begins: between the first column and the second.
fn region_left(picture: &Picture, gutters: &[f64]) -> f64 {
    let second = columns(gutters).get(1).map_or(MARGIN, |(x, _)| *x);
    if picture.columns.first().is_none_or(Vec::is_empty) { MARGIN / 2.0 } else { second - PAD - 8.0 }
}

fn measured(picture: &Picture) -> Measured<'_> {
    let mut all = BTreeMap::new();
    for (column, sections) in picture.columns.iter().enumerate() {
        let inner = WIDTHS.get(column).copied().unwrap_or(LEAST_GUTTER) - 2.0 * PAD;
        for card in sections.iter().flat_map(|section| &section.cards) {
            let (lines, height) = lines(card, inner);
            all.insert(card.id.as_str(), (column, lines, height));
        }
    }
    all
}

/// A box's texts, broken to its width, and its height.
fn lines(card: &Card, inner: f64) -> (Vec<Line<'_>>, f64) {
    let (mut lines, mut y): (Vec<Line<'_>>, f64) = (Vec::new(), 8.0);
    for (text, class, size, most) in [(&card.title, "head", 13.5, 4), (&card.name, "name", 11.0, 3)] {
        for part in fit(text, inner, size, most) {
            y += LINE;
            lines.push(Line { text: part, class, row: None, y });
        }
    }
    for row in &card.rows {
        if row.opens {
            y += 5.0;
        }
        let class = if row.opens { "opens" } else { "row" };
        for part in fit(&row.text, inner, 12.0, 5) {
            y += LINE;
            lines.push(Line { text: part, class, row: Some(&row.text), y });
        }
    }
    (lines, y + 11.0)
}

/// Room between columns for the links that run there.
fn gutters(picture: &Picture, sizes: &Measured<'_>) -> Vec<f64> {
    let column = |end: &End| sizes.get(end.card.as_str()).map_or(0, |(column, _, _)| *column);
    let empty = |n: usize| picture.columns.get(n).is_none_or(Vec::is_empty);
    (0..picture.columns.len())
        .map(|n| {
            let beside = |link: &&Link| {
                let (a, b) = (column(&link.from), column(&link.to));
                let (low, high) = (a.min(b), a.max(b));
                low == n || (high == n + 1 && low < n)
            };
            #[expect(clippy::cast_precision_loss, reason = "a few links")]
            let count = picture.links.iter().filter(beside).count() as f64;
            // Nothing stands in an empty first column: what follows moves there.
            if n == 0 && empty(0) { MARGIN / 2.0 - WIDTHS[0] } else { (30.0 + LANE * count).max(LEAST_GUTTER) }
        })
        .collect()
}

type Headed<'a> = Vec<(f64, f64, &'a str)>;

fn place<'a>(picture: &'a Picture, mut sizes: Measured<'a>, gutters: &[f64]) -> (Vec<Placed<'a>>, Headed<'a>, f64) {
    let (mut placed, mut headings, mut bottom) = (Vec::new(), Vec::new(), 0.0_f64);
    for (column, (sections, (x, width))) in picture.columns.iter().zip(columns(gutters)).enumerate() {
        let mut y = 80.0;
        for section in sections {
            y += 16.0;
            headings.push((x, y, section.heading.as_str()));
            y += 10.0;
            for card in &section.cards {
                let Some((_, lines, height)) = sizes.remove(card.id.as_str()) else { continue };
                placed.push(Placed { card, column, x, y, width, height, lines });
                y += height + GAP;
            }
        }
        bottom = bottom.max(y);
    }
    (placed, headings, bottom)
}

/// Where each link leaves and arrives.
fn ways<'a>(picture: &'a Picture, placed: &[Placed<'_>]) -> Vec<Way<'a>> {
    let find = |end: &End| placed.iter().position(|of| of.card.id == end.card);
    let known = picture.links.iter().filter_map(|link| Some((link, find(&link.from)?, find(&link.to)?)));
    let known: Vec<_> = known.collect();
    // On one side of a box, ends stand at their rows; the others evenly, in the order of what they lead to.
    let mut sides: BTreeMap<(usize, bool), Vec<Leads>> = BTreeMap::new();
    for (n, (_, from, to)) in known.iter().enumerate() {
        let right = placed[*from].column < placed[*to].column;
        sides.entry((*from, right)).or_default().push((n, true, *to));
        sides.entry((*to, !right)).or_default().push((n, false, *from));
    }
    let mut ends: BTreeMap<(usize, bool), f64> = BTreeMap::new();
    for ((at, _), all) in sides {
        let of = &placed[at];
        let row = |n: usize, from: bool| height_of(of, if from { &known[n].0.from } else { &known[n].0.to });
        let mut free: Vec<_> = all.iter().filter(|(n, from, _)| row(*n, *from).is_none()).collect();
        free.sort_by(|one, other| {
            let middle = |of: usize| placed[of].y + placed[of].height / 2.0;
            middle(one.2).total_cmp(&middle(other.2)).then(one.0.cmp(&other.0))
        });
        #[expect(clippy::cast_precision_loss, reason = "a few links")]
        let even = |i: usize| of.y + of.height * (i as f64 + 1.0) / (free.len() as f64 + 1.0);
        let rows = all.iter().filter_map(|(n, from, _)| Some((row(*n, *from)?, (*n, *from))));
        let mut here: Vec<(f64, (usize, bool))> =
            free.iter().enumerate().map(|(i, (n, from, _))| (even(i), (*n, *from))).chain(rows).collect();
        here.sort_by(|one, other| one.0.total_cmp(&other.0).then(one.1.cmp(&other.1)));
        let mut last = f64::MIN;
        for (y, end) in here {
            last = y.max(last + 6.0);
            ends.insert(end, last);
        }
    }
    let at = |n: usize, from: bool| ends.get(&(n, from)).copied().unwrap_or_default();
    known
        .iter()
        .enumerate()
        .map(|(n, (link, from, to))| Way { link, from: (*from, at(n, true)), to: (*to, at(n, false)) })
        .collect()
}

/// The height of a row within the picture.
fn height_of(of: &Placed<'_>, end: &End) -> Option<f64> {
    let wanted = end.row.as_deref()?;
    of.lines.iter().find(|line| line.row == Some(wanted)).map(|line| of.y + line.y - 4.0)
}

/// The links as paths, and how far down they reach.
fn route(ways: &[Way<'_>], placed: &[Placed<'_>], gutters: &[f64], bottom: f64) -> (String, f64) {
    let edges = columns(gutters);
    let mut lanes: BTreeMap<(usize, usize), f64> = BTreeMap::new();
    for n in 0..gutters.len() {
        // (way, going up, its y): those that cross the gutter, left end first.
        let mut here: Vec<(usize, bool, f64)> = Vec::new();
        for (w, way) in ways.iter().enumerate() {
            let (a, b) = (placed[way.from.0].column, placed[way.to.0].column);
            let (left, right) = if a <= b { (way.from, way.to) } else { (way.to, way.from) };
            let (low, high) = (a.min(b), a.max(b));
            if low == n && high == n + 1 {
                here.push((w, right.1 < left.1, left.1));
            } else if low == n {
                here.push((w, false, left.1));
            } else if high == n + 1 && low < n {
                here.push((w, true, 1e6 - right.1));
            }
        }
        here.sort_by(|one, other| {
            let order = one.2.total_cmp(&other.2);
            one.1.cmp(&other.1).reverse().then(if one.1 { order } else { order.reverse() }).then(one.0.cmp(&other.0))
        });
        let start = edges[n].0 + edges[n].1;
        #[expect(clippy::cast_precision_loss, reason = "a few links")]
        for (i, (w, ..)) in here.iter().enumerate() {
            let step = gutters[n] / (here.len() as f64 + 1.0);
            lanes.insert((n, *w), start + step * (i as f64 + 1.0));
        }
    }
    let (mut text, mut below) = (String::new(), bottom);
    for (w, way) in ways.iter().enumerate() {
        let (from, to) = (&placed[way.from.0], &placed[way.to.0]);
        let (y1, y2) = (way.from.1, way.to.1);
        let right = from.column < to.column;
        let x1 = if right { from.x + from.width } else { from.x };
        let x2 = if right { to.x - 1.0 } else { to.x + to.width + 1.0 };
        let gutter = |column: usize, outward: bool| if outward { column } else { column.saturating_sub(1) };
        let (first, last) = (gutter(from.column, right), gutter(to.column, !right));
        let lane = |n: usize| lanes.get(&(n, w)).copied().unwrap_or(x1);
        let path = if first == last {
            let x = lane(first);
            if (y1 - y2).abs() < 1.0 {
                format!("M{x1:.1} {y1:.1}H{x2:.1}")
            } else {
                corners(&[(x1, y1), (x, y1), (x, y2), (x2, y2)])
            }
        } else {
            below += LANE;
            let (a, b) = (lane(first), lane(last));
            corners(&[(x1, y1), (a, y1), (a, below), (b, below), (b, y2), (x2, y2)])
        };
        let class = way.link.sort.class();
        let _ = writeln!(
            text,
            "<path class=\"link {class}\" d=\"{path}\" marker-end=\"url(#{class})\"><title>{}</title></path>",
            escaped(&way.link.says)
        );
    }
    (text, below)
}

/// A line through points, its corners rounded.
fn corners(points: &[(f64, f64)]) -> String {
    let mut path = String::new();
    for (n, (x, y)) in points.iter().enumerate() {
        let (Some(before), Some(after)) = (n.checked_sub(1).and_then(|n| points.get(n)), points.get(n + 1)) else {
            let _ = write!(path, "{}{x:.1} {y:.1}", if n == 0 { "M" } else { "L" });
            continue;
        };
        let toward = |to: &(f64, f64)| {
            let (dx, dy) = (to.0 - x, to.1 - y);
            let long = dx.abs() + dy.abs();
            let by = if long > 0.0 { (5.0_f64).min(long / 2.0) / long } else { 0.0 };
            (x + dx * by, y + dy * by)
        };
        let ((a, b), (c, d)) = (toward(before), toward(after));
        let _ = write!(path, "L{a:.1} {b:.1}Q{x:.1} {y:.1} {c:.1} {d:.1}");
    }
    path
}

fn draw(text: &mut String, placed: &Placed<'_>) {
    let Placed { card, x, y, width, height, lines, .. } = placed;
    let _ = writeln!(
        text,
        "<g><title>{}: {}</title><rect class=\"card {}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"{}\"/>",
        escaped(&card.title),
        card.fate.words(),
        card.fate.class(),
        if card.fate == Fate::Ours { 16 } else { 7 },
    );
    for line in lines {
        label(text, line.class, x + PAD, y + line.y, &line.text);
    }
    text.push_str("</g>\n");
}

/// What lines and borders mean.
fn legend(text: &mut String, y: f64) {
    let mut x = MARGIN;
    for fate in Fate::ALL {
        let _ = writeln!(
            text,
            "<rect class=\"card {}\" x=\"{x:.1}\" y=\"{:.1}\" width=\"26\" height=\"14\" rx=\"3\"/>",
            fate.class(),
            y - 11.0
        );
        label(text, "name", x + 33.0, y, fate.words());
        x += 33.0 + wide(fate.words(), 11.0) + 22.0;
    }
    x = MARGIN;
    for sort in Sort::ALL {
        let _ = writeln!(
            text,
            "<path class=\"link {0}\" d=\"M{x:.1} {1:.1}h26\" marker-end=\"url(#{0})\"/>",
            sort.class(),
            y + 20.0
        );
        label(text, "name", x + 33.0, y + 24.0, sort.words());
        x += 33.0 + wide(sort.words(), 11.0) + 22.0;
    }
}

fn label(text: &mut String, class: &str, x: f64, y: f64, words: &str) {
    let _ = writeln!(text, "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>", escaped(words));
}
