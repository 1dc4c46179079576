//! The page: well-formed, self-contained, and built so that a keyboard and a screen reader get through it.

use std::collections::BTreeSet;

use fruitsinfra::ui::review::html;

use super::compared;
use super::table::{PAIRS, files};

/// Elements that have no end.
const VOID: [&str; 3] = ["meta", "br", "hr"];

/// One tag: its name, its attributes, whether it ends something.
struct Tag {
    name: String,
    attributes: Vec<(String, String)>,
    ends: bool,
}

impl Tag {
    fn get(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// Every tag of a page, strictly: attributes are quoted, and a `<` begins a tag.
fn tags(page: &str) -> Vec<Tag> {
    let style = page.find("<style>").expect("a style")..page.find("</style>").expect("its end");
    let page = format!("{}{}", &page[..style.start + 7], &page[style.end..]);
    let rest = page.strip_prefix("<!DOCTYPE html>\n").expect("a doctype");
    let mut found = Vec::new();
    for piece in rest.split('<').skip(1) {
        let (inside, text) = piece.split_once('>').expect("a tag ends");
        assert!(!text.contains('>'), "a stray > in {text:?}");
        let (ends, inside) = inside.strip_prefix('/').map_or((false, inside), |inside| (true, inside));
        let (name, mut attributes) = inside.split_once(' ').unwrap_or((inside, ""));
        assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{name:?} in {piece:?}");
        let mut tag = Tag { name: name.to_owned(), attributes: vec![], ends };
        while !attributes.trim().is_empty() {
            let bare = ["open"].into_iter().find(|bare| attributes.trim() == *bare);
            if let Some(bare) = bare {
                tag.attributes.push((bare.to_owned(), String::new()));
                break;
            }
            let (key, value) = attributes.trim_start().split_once("=\"").expect("a quoted value");
            let (value, more) = value.split_once('"').expect("a quote ends");
            tag.attributes.push((key.to_owned(), value.to_owned()));
            attributes = more;
        }
        found.push(tag);
    }
    found
}

/// Asserts all that holds of every page.
pub(super) fn sound(page: &str) {
    let tags = tags(page);
    let mut open: Vec<&str> = Vec::new();
    for tag in &tags {
        if tag.ends {
            assert_eq!(open.pop(), Some(tag.name.as_str()), "ends in order");
        } else if !VOID.contains(&tag.name.as_str()) {
            open.push(&tag.name);
        }
    }
    assert!(open.is_empty(), "{open:?} never end");

    let starts = || tags.iter().filter(|tag| !tag.ends);
    let named = |name: &'static str| starts().filter(move |tag| tag.name == name);
    let ids: Vec<&str> = starts().filter_map(|tag| tag.get("id")).collect();
    let unique: BTreeSet<&str> = ids.iter().copied().collect();
    assert_eq!(ids.len(), unique.len(), "{ids:?}");
    // What refers to something finds it.
    for tag in starts() {
        let target = tag.get("aria-labelledby").or_else(|| tag.get("href")?.strip_prefix('#'));
        assert!(target.is_none_or(|id| unique.contains(id)), "{target:?}");
        // Nothing comes from elsewhere, and nothing runs.
        assert!(tag.get("src").is_none() && tag.get("href").is_none_or(|href| href.starts_with('#')));
        assert!(!["script", "link", "iframe", "img", "object", "embed"].contains(&tag.name.as_str()), "{}", tag.name);
        assert!(tag.attributes.iter().all(|(key, _)| !key.starts_with("on")));
    }
    assert!(!page.contains("url(") && !page.contains("@import"));
    // Landmarks and headings.
    for (name, count) in [("html", 1), ("title", 1), ("h1", 1), ("header", 1), ("main", 1), ("footer", 1)] {
        assert_eq!(named(name).count(), count, "{name}");
    }
    assert_eq!(named("html").next().and_then(|tag| tag.get("lang")), Some("en"));
    let mut level = 0;
    for heading in starts().filter_map(|tag| tag.name.strip_prefix('h')?.parse::<u8>().ok()) {
        assert!(heading <= level + 1, "h{heading} follows h{level}");
        level = heading;
    }
    assert!(named("th").all(|tag| ["col", "row"].contains(&tag.get("scope").unwrap_or_default())), "scopes");
    assert_eq!(named("table").count(), named("caption").count());
    assert_eq!(named("details").count(), named("summary").count());
    // Whatever scrolls can be reached.
    assert!(
        starts()
            .filter(|tag| tag.get("class") == Some("scroll") || tag.name == "pre")
            .all(|tag| tag.get("tabindex") == Some("0"))
    );
}

#[test]
fn what_a_stack_says_is_never_html() {
    let (old, new) = files(PAIRS.iter().find(|pair| pair.name == "hostile-values").expect("is there"));
    let page = html::html(&compared(old, new)).expect("a page");
    sound(&page);
    assert!(page.contains("&lt;script&gt;alert(1)&lt;") && !page.contains("<script"), "escaped");
}

/// Contrast of two colours as WCAG 2.2 calculates it.
fn contrast(one: &str, other: &str) -> f64 {
    let light = |colour: &str| {
        let channel = |at: usize| {
            let value = f64::from(u8::from_str_radix(&colour[at..at + 2], 16).expect("hex")) / 255.0;
            if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
    };
    let (one, other) = (light(one), light(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

#[test]
fn every_text_has_contrast_enough_by_day_and_by_night() {
    let (old, new) = files(&PAIRS[0]);
    let page = html::html(&compared(old, new)).expect("a page");
    let roots: Vec<&str> = page.split(":root {").skip(1).map(|rest| rest.split('}').next().expect("an end")).collect();
    assert_eq!(roots.len(), 2, "light and dark");
    for root in roots {
        let colour = |name: &str| {
            let at = root.find(&format!("--{name}: #")).unwrap_or_else(|| panic!("{name}")) + name.len() + 4;
            root[at..at + 7].to_owned()
        };
        let pairs = [("ink", "paper"), ("quiet", "paper"), ("link", "paper"), ("ink", "box"), ("quiet", "box")];
        for (text, ground) in pairs.into_iter().chain([("add", "add-box"), ("del", "del-box"), ("warn", "warn-box")]) {
            let found = contrast(&colour(text), &colour(ground));
            assert!(found >= 4.5, "{text} on {ground}: {found:.2}");
        }
    }
}
