//! Fruits-360 by its looks: `Training/<Class>/<image>` and `Test/<Class>/<image>`, at the top or up to two folders down,
//! told by names and counts alone. No image is read, so what is recognised is a layout and what is known of a version.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use crate::stack::{FeatureJob, Split};
use crate::text::{counted, grouped};

/// Folders above `Training` and `Test`: `fruits-360_dataset/fruits-360/` is what Kaggle serves.
const DEEPEST: usize = 2;

/// A data set that is laid out as Fruits-360 is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DataSet {
    /// What its folders lie in; empty, or ends with a slash.
    pub root: String,
    pub classes: usize,
    pub training: usize,
    pub test: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<&'static str>,
}

/// A version by its counts: classes, images in `Training`, images in `Test`.
type Version = (&'static str, [usize; 3]);

/// As the data set's own README tells of each ("Dataset properties"; "Version: 2025.03.09.0", branch 100x100, of
/// github.com/fruits-360/fruits-360-100x100, and that of the version of 2020.05.18 on kaggle.com/moltean/fruits, whose 103
/// images of several fruits lie in a folder of their own beside the two).
const VERSIONS: [Version; 2] = [("2020.05.18", [131, 67_692, 22_688]), ("2025.03.09", [155, 76_893, 25_746])];

impl DataSet {
    /// Images of one part.
    #[must_use]
    pub fn images(&self, split: Split) -> usize {
        match split {
            Split::Training => self.training,
            Split::Test => self.test,
        }
    }
}

impl fmt::Display for DataSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { root, classes, training, test, version } = self;
        let classes =
            if *classes == 1 { "1 class".to_owned() } else { format!("{} classes", grouped(*classes as u64)) };
        let images = format!("{} Training and {}", grouped(*training as u64), counted(*test, "Test image"));
        let within = if root.is_empty() { String::new() } else { format!(", in {root}") };
        match version {
            Some(version) => write!(f, "Fruits-360, {classes}, {images}{within}: version {version}"),
            None => write!(f, "laid out as Fruits-360, {classes}, {images}{within}: a version that is not known here"),
        }
    }
}

/// Where an image of a data set lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Placed<'a> {
    pub(super) root: &'a str,
    pub(super) split: Split,
    pub(super) class: &'a str,
}

/// The place of an image in a data set, by its path.
pub(super) fn placed(path: &str) -> Option<Placed<'_>> {
    let (above, file) = path.rsplit_once('/')?;
    let (above, class) = above.rsplit_once('/')?;
    let at = above.rfind('/').map_or(0, |slash| slash + 1);
    let (root, folder) = above.split_at(at);
    let split = Split::ALL.into_iter().find(|split| split.folder() == folder)?;
    let fits = root.matches('/').count() <= DEEPEST && !class.is_empty() && is_image(file);
    fits.then_some(Placed { root, split, class })
}

/// Whether a file is an image by its name. `._1.jpg` is what macOS keeps beside one.
pub(super) fn is_image(name: &str) -> bool {
    !name.starts_with('.') && FeatureJob::is_image(name)
}

/// The data sets among files, by their paths, in the order of their roots.
pub fn data_sets<'a>(paths: impl IntoIterator<Item = &'a str>) -> Vec<DataSet> {
    let mut found: BTreeMap<&str, (BTreeSet<&str>, [usize; 2])> = BTreeMap::new();
    for Placed { root, split, class } in paths.into_iter().filter_map(placed) {
        let (classes, images) = found.entry(root).or_default();
        classes.insert(class);
        images[usize::from(split == Split::Test)] += 1;
    }
    let set = |(root, (classes, [training, test])): (&str, (BTreeSet<&str>, [usize; 2]))| {
        let counts = [classes.len(), training, test];
        let version = VERSIONS.into_iter().find(|(_, of)| *of == counts).map(|(name, _)| name);
        DataSet { root: root.to_owned(), classes: classes.len(), training, test, version }
    };
    found.into_iter().map(set).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(paths: &[&str]) -> Vec<String> {
        data_sets(paths.iter().copied()).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_layout_is_recognised_by_names_at_the_top_and_below() {
        let one = ["Training/Apple Red 1/0_100.jpg", "Training/Pear/r_1_100.JPG", "Test/Apple Red 1/3_100.jpg"];
        let words = "2 classes, 2 Training and 1 Test image";
        assert_eq!(told(&one), [format!("laid out as Fruits-360, {words}: a version that is not known here")]);
        for root in ["fruits-360/", "fruits-360_dataset/fruits-360/"] {
            let below: Vec<String> = one.iter().map(|path| format!("{root}{path}")).collect();
            let below: Vec<&str> = below.iter().map(String::as_str).collect();
            let words = format!("{words}, in {root}");
            assert_eq!(told(&below), [format!("laid out as Fruits-360, {words}: a version that is not known here")]);
        }
        for other in [
            "a/b/c/Training/Apple/1.jpg",
            "Training/1.jpg",
            "Training//1.jpg",
            "Training/Apples/Golden/1.jpg",
            "training/Apple/1.jpg",
            "Test/Apple/notes.txt",
            "Test/Apple/._1.jpg",
            "Apple/1.jpg",
            "1.jpg",
            "",
        ] {
            assert_eq!(told(&[other]), Vec::<String>::new(), "{other}");
        }
    }

    #[test]
    fn several_data_sets_are_several() {
        let found = data_sets(["b/Test/Kiwi/1.jpg", "a/Test/Kiwi/1.jpg", "Training/Training/Test/1.jpg"]);
        let roots: Vec<&str> = found.iter().map(|set| set.root.as_str()).collect();
        // A class may be called as it likes.
        assert_eq!(roots, ["Training/", "a/", "b/"]);
        assert_eq!((found[0].classes, found[0].training), (1, 1));
    }

    #[test]
    fn a_version_is_known_by_its_counts() {
        let image =
            |split: &str, number: usize, classes: usize| format!("{split}/Class {}/{number}.jpg", number % classes);
        for (name, [classes, training, test]) in VERSIONS {
            let mut paths: Vec<String> = (0..training).map(|number| image("Training", number, classes)).collect();
            paths.extend((0..test).map(|number| image("Test", number, classes)));
            paths.extend((0..103).map(|number| format!("test-multiple_fruits/{number}.jpg")));
            let [set] = &data_sets(paths.iter().map(String::as_str))[..] else { panic!("one data set") };
            assert_eq!(set.version, Some(name));
            assert!(set.to_string().starts_with(&format!("Fruits-360, {classes} classes, ")), "{set}");
            let lacking = data_sets(paths[1..].iter().map(String::as_str));
            assert_eq!(lacking[0].version, None, "one image is not there");
        }
        let all = VERSIONS.map(|(_, [_, training, test])| training + test);
        assert_eq!(all, [90_483 - 103, 102_639]);
    }
}
