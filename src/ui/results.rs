//! What a job wrote, for people: a table in a terminal, and one HTML page with its plots. The page is a template of ours,
//! which escapes every value; here is what it is filled with, and nothing is computed that the job does not tell.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::table::table;
use super::{BOLD, DIM, GREEN, RED, YELLOW};
use crate::job::results::{Report, Variance};
use crate::job::tables::Point;
use crate::job::written::Checks;
use crate::script::{self, ScriptError};
use crate::text::{counted, grouped};

/// No plot shows more images than these.
const MOST_POINTS: usize = 2_000;

/// No scree shows more components than these.
const MOST_BARS: usize = 200;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 320.0;
const SIDE: f64 = 560.0;

/// Colours that are told apart by day and by night, also by most who see them otherwise; the label in the plot tells all.
const COLOURS: [&str; 10] =
    ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#8c6d31", "#7f7f7f", "#6a3d9a", "#b2df8a"];

/// A report as a person reads it in a terminal.
pub fn text(report: &Report) -> String {
    let Report { job, failed_rows, labels, paths, .. } = report;
    let mut out = String::new();
    let _ = writeln!(out, "{BOLD}Results of job `{job}`{BOLD:#}\n");
    let styled = |(name, value): (&'static str, String)| {
        let value = match (name, report.weights.as_str()) {
            ("failed rows", _) if !failed_rows.is_empty() => format!("{RED}{value}{RED:#}"),
            ("weights", "untrained") => format!("{YELLOW}{value}{YELLOW:#}"),
            _ => value,
        };
        vec![name.to_owned(), value]
    };
    let _ = writeln!(out, "{}\n", table(&[], facts(report).map(styled)));
    let rows = labels.iter().map(|(label, n)| vec![label.clone(), grouped(*n)]);
    let _ = writeln!(out, "{}", table(&["label", "images"], rows));
    if !failed_rows.is_empty() {
        let rows = failed_rows.iter().map(|row| vec![row.path.clone(), row.error.clone()]);
        let _ = writeln!(out, "\n{}", table(&["failed", "error"], rows));
    }
    let rows = paths.iter().map(|(name, path)| vec![name.clone(), path.clone()]);
    let _ = writeln!(out, "\n{DIM}{}{DIM:#}", table(&[], rows));
    out.trim_end().to_owned()
}

/// What the tables themselves told, in a line or more.
pub fn checked(checks: Option<&Checks>, length: u64) -> String {
    match checks {
        None => format!("{DIM}The tables were not read: they are large, and `--check` reads them.{DIM:#}"),
        Some(Checks { problems, .. }) if !problems.is_empty() => {
            let lines = problems.iter().map(|problem| format!("{RED}not whole{RED:#}: {problem}"));
            lines.collect::<Vec<_>>().join("\n")
        }
        Some(Checks { images, .. }) => format!(
            "{GREEN}whole{GREEN:#}: {} read back, a row each, {length} numbers or the reason why not",
            counted(*images, "image")
        ),
    }
}

fn facts(report: &Report) -> [(&'static str, String); 7] {
    let Report { rows, failed_rows, labels, feature_length, components, variance, weights, .. } = report;
    let weights = match weights.as_str() {
        "untrained" => "untrained: seeded, for tests; these features mean nothing".into(),
        "registry" => "registry: a trained MobileNetV2 out of a registry package".into(),
        "imagenet" => "imagenet: as Keras publishes them".into(),
        other => format!("{other}: a file of your own"),
    };
    [
        ("rows", grouped(*rows)),
        ("failed rows", failed_rows.len().to_string()),
        ("labels", labels.len().to_string()),
        ("feature length", feature_length.to_string()),
        ("components", components.to_string()),
        ("variance", format!("{:.1} % explained by them", variance * 100.0)),
        ("weights", weights),
    ]
}

/// Everything a page is made of.
#[derive(Debug)]
pub struct Page<'a> {
    pub report: &'a Report,
    /// The report as the job wrote it.
    pub whole: &'a Value,
    pub checks: Option<&'a Checks>,
    pub variance: Option<&'a Variance>,
    pub points: &'a [Point],
    pub cost: Option<String>,
}

/// The page.
pub fn html(page: &Page) -> Result<String, ScriptError> {
    let Page { report, whole, checks, variance, points, cost } = page;
    // What an older script does not tell is left out.
    let told = |name: &str| whole[name].as_str().unwrap_or_default();
    let seconds = whole["seconds"].as_object();
    let stages: Vec<Value> = seconds.into_iter().flatten().map(|(stage, seconds)| json!([stage, seconds])).collect();
    script::embedded(
        "results/page.html.j2",
        &json!({
            "report": {
                "stack": told("stack"), "region": told("region"), "started": told("started"), "ended": told("ended"),
                "job": report.job, "feature_length": report.feature_length, "labels": report.labels,
                "failed_rows": report.failed_rows, "paths": report.paths, "versions": whole.get("versions"),
            },
            "checks": checks.map(|checks| json!({"images": checks.images, "problems": checks.problems})),
            "facts": facts(report),
            "scree": variance.map(scree),
            "cloud": cloud(points),
            "stages": stages,
            "cost": cost,
        }),
    )
}

/// A number of an SVG: more digits than these nobody sees.
fn short(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

/// Each component's share as a bar, and all up to it as a line.
#[expect(clippy::cast_precision_loss, reason = "components of a plot")]
fn scree(variance: &Variance) -> Value {
    let Variance { components, variance: kept, variance_target, explained } = variance;
    let shown = &explained[..explained.len().min(MOST_BARS).min((components * 2).max(10))];
    let (left, right, top, bottom) = (48.0, WIDTH - 12.0, 12.0, HEIGHT - 28.0);
    let step = (right - left) / shown.len().max(1) as f64;
    let y = |share: f64| short(bottom - share * (bottom - top));
    let (mut sum, mut bars, mut line) = (0.0, Vec::new(), String::new());
    for (n, share) in shown.iter().enumerate() {
        sum += share;
        let x = left + step * n as f64;
        bars.push(json!({"x": short(x + step * 0.1), "y": y(*share), "width": short(step * 0.8).max(0.5),
            "height": short(bottom - y(*share)).max(0.5),
            "text": format!("component {}: {:.1} %, {:.1} % with all before it", n + 1, share * 100.0, sum * 100.0)}));
        let _ = write!(line, "{},{} ", short(x + step / 2.0), y(sum));
    }
    let ticks =
        [0.0, 0.25, 0.5, 0.75, 1.0].map(|share| json!({"y": y(share), "text": format!("{:.0} %", share * 100.0)}));
    let words = format!(
        "{components} components explain {:.1} % of the variance; {:.0} % were wanted",
        kept * 100.0,
        variance_target * 100.0
    );
    json!({"bars": bars, "line": line.trim_end(), "target": y(*variance_target), "ticks": ticks, "words": words,
        "width": WIDTH, "height": HEIGHT, "last": shown.len()})
}

/// The images by their first two components, evenly thinned where they are many.
#[expect(clippy::cast_precision_loss, reason = "images of a plot")]
fn cloud(points: &[Point]) -> Option<Value> {
    let finite: Vec<&Point> = points.iter().filter(|point| point.x.is_finite() && point.y.is_finite()).collect();
    let bounds = |of: fn(&Point) -> f64| {
        let least = finite.iter().map(|point| of(point)).fold(f64::INFINITY, f64::min);
        let most = finite.iter().map(|point| of(point)).fold(f64::NEG_INFINITY, f64::max);
        (least, (most - least).max(f64::MIN_POSITIVE))
    };
    let ((left, wide), (low, high)) = (bounds(|point| point.x), bounds(|point| point.y));
    let margin = 40.0;
    let at = |x: f64, y: f64| {
        let x = margin + (x - left) / wide * (WIDTH - 2.0 * margin);
        (short(x), short(SIDE - margin - (y - low) / high * (SIDE - 2.0 * margin)))
    };
    let mut labels: BTreeMap<&str, Vec<&Point>> = BTreeMap::new();
    for point in &finite {
        labels.entry(&point.label).or_default().push(point);
    }
    let colour = |label: &str| COLOURS[labels.keys().position(|known| *known == label).unwrap_or(0) % COLOURS.len()];
    let thin = finite.len().div_ceil(MOST_POINTS).max(1);
    let drawn: Vec<Value> = finite
        .iter()
        .step_by(thin)
        .map(|point| {
            let (x, y) = at(point.x, point.y);
            json!({"x": x, "y": y, "label": point.label, "colour": colour(&point.label)})
        })
        .collect();
    let names = labels.iter().map(|(label, points)| {
        let mean = |of: fn(&Point) -> f64| points.iter().map(|point| of(point)).sum::<f64>() / points.len() as f64;
        let (x, y) = at(mean(|point| point.x), mean(|point| point.y));
        // At an edge it stands beside its images, or it would be cut.
        let anchor = match x / WIDTH {
            near if near < 0.15 => "start",
            far if far > 0.85 => "end",
            _ => "middle",
        };
        json!({"x": x, "y": y, "label": label, "anchor": anchor})
    });
    let names: Vec<Value> = names.collect();
    (!finite.is_empty()).then(|| {
        json!({"drawn": drawn.len(), "of": finite.len(), "points": drawn, "names": names, "width": WIDTH, "height": SIDE})
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> (Report, Value) {
        let whole = json!({"job": "features", "stack": "fruits", "region": "eu-west-3", "started": "a", "ended": "b",
            "rows": 3, "failed_rows": [{"path": "s3://b/<i>.jpg", "error": "not an image"}], "labels": {"Apple & co": 2},
            "feature_length": 1280, "components": 2, "variance": 0.91, "weights": "registry",
            "paths": {"pca": "s3://b/pca/"}, "seconds": {"listing": 1.5}, "versions": {"spark": "3.5.9"}});
        (serde_json::from_value(whole.clone()).expect("a report"), whole)
    }

    #[test]
    fn a_page_holds_what_was_found_and_escapes_it() {
        let (report, whole) = report();
        let variance =
            Variance { components: 2, variance: 0.91, variance_target: 0.9, explained: vec![0.6, 0.31, 0.09] };
        let point = |label: &str, x, y| Point { label: label.into(), x, y };
        let points = [point("Apple & co", 0.0, 1.0), point("Apple & co", 2.0, 1.0), point("Kiwi", f64::NAN, 0.0)];
        let checks = Checks { images: 3, problems: vec![] };
        let page = Page {
            report: &report,
            whole: &whole,
            checks: Some(&checks),
            variance: Some(&variance),
            points: &points,
            cost: None,
        };
        let page = html(&page).expect("a page");
        for part in [
            "Every one of the 3 images",
            "Apple &amp; co",
            "s3:&#x2f;&#x2f;b&#x2f;&lt;i&gt;.jpg",
            "2 components explain 91.0 %",
            "component 3: 9.0 %, 100.0 % with all before it",
        ] {
            assert!(page.contains(part), "{part}\n{page}");
        }
        assert_eq!((page.matches("<circle").count(), page.matches("<rect").count()), (2, 3));
        assert!(!page.contains("NaN") && !page.contains("://"), "{page}");
        let checks = Checks { images: 3, problems: vec!["1 images have no row".into()] };
        let bare =
            Page { report: &report, whole: &whole, checks: Some(&checks), variance: None, points: &[], cost: None };
        let bare = html(&bare).expect("a page");
        let older = Page { report: &report, whole: &json!({}), checks: None, variance: None, points: &[], cost: None };
        assert!(html(&older).expect("a page").contains("not looked at"));
        assert!(bare.contains("not whole") && !bare.contains("<svg"), "{bare}");
    }

    #[test]
    fn tables_are_told_in_a_line() {
        let told = |checks: Option<&Checks>| anstream::adapter::strip_str(&checked(checks, 1280)).to_string();
        let whole = Checks { images: 200, problems: vec![] };
        assert_eq!(told(Some(&whole)), "whole: 200 images read back, a row each, 1280 numbers or the reason why not");
        assert_eq!(
            told(Some(&Checks { images: 2, problems: vec!["a".into(), "b".into()] })),
            "not whole: a\nnot whole: b"
        );
        assert!(told(None).contains("--check"));
    }
}
