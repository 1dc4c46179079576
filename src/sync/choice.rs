//! What of all that was found is sent, and under which key: one part of a data set, and a sample of it. A sample depends
//! on names alone: classes in the order of the SHA-256 of their names, the first n of them, and in each folder of theirs
//! images in the order of the SHA-256 of `<class>/<file>`, the first m. So it is the same on every machine, out of a zip
//! or a folder, in whatever order they list; and a larger one holds the smaller.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::fruits::{DataSet, data_sets, is_image, placed};
use super::local::Local;
use crate::cloud::error::CloudError;
use crate::stack::{Sample, Split, Upload, nearest};
use crate::text::{counted, grouped};

/// What is sent, and what a person is told of it.
#[derive(Debug)]
pub(super) struct Chosen {
    pub(super) files: Vec<Local>,
    /// What the paths of all of them began with, and their keys do not.
    pub(super) base: String,
    pub(super) data_set: Option<DataSet>,
    pub(super) notes: Vec<String>,
}

/// Chooses among files whose keys are their paths below `from`; afterwards those are paths below `to`. Of a zip without a
/// part, keys begin below the data set: what is around it there is a matter of the zip.
pub(super) fn choose(upload: &Upload, in_zip: bool, mut files: Vec<Local>) -> Result<Chosen, CloudError> {
    let sets = data_sets(files.iter().map(|local| local.key.as_str()));
    let mut notes = Vec::new();
    let data_set = match (upload.split, &sets[..]) {
        (Some(split), _) => Some(of_split(&upload.from, split, &sets, &files)?),
        (None, []) => None,
        (None, [only]) => Some(only),
        (None, several) => known(several),
    };
    let data_set = data_set.cloned();
    if sets.len() > 1 {
        let roots: Vec<&str> = sets.iter().map(|set| set.root.as_str()).collect();
        notes.push(format!("there are {} data sets: {}", sets.len(), roots.join(", ")));
    }
    let base = match (upload.split, &data_set) {
        (Some(split), Some(set)) => format!("{}{split}/", set.root),
        (None, Some(set)) if in_zip => set.root.clone(),
        _ => String::new(),
    };
    let all = files.len();
    files.retain(|local| local.key.starts_with(&base));
    for local in &mut files {
        local.key.replace_range(..base.len(), "");
    }
    if upload.split.is_none() && files.len() < all {
        notes.push(format!("{} beside {base} in the zip: not sent", counted(all - files.len(), "file")));
    }
    if let Some(sample) = upload.sample {
        // Beside a data set's two folders lies what is no class of it.
        let root = data_set.as_ref().filter(|_| upload.split.is_none()).map(|set| if in_zip { "" } else { &*set.root });
        sampled(upload, sample, root, &mut files, &mut notes)?;
    } else if let Some(split) = upload.split {
        notes.push(format!("sent of it: {split}"));
    }
    files.shrink_to_fit();
    Ok(Chosen { files, base, data_set, notes })
}

/// The one data set whose version is known, if there is one: Kaggle has served it beside the same images in another size.
fn known(sets: &[DataSet]) -> Option<&DataSet> {
    let mut known = sets.iter().filter(|set| set.version.is_some());
    known.next().filter(|_| known.next().is_none())
}

/// The data set that a part is asked of.
fn of_split<'a>(from: &Path, split: Split, sets: &'a [DataSet], files: &[Local]) -> Result<&'a DataSet, CloudError> {
    let having: Vec<&DataSet> = sets.iter().filter(|set| set.images(split) > 0).collect();
    let from = from.display();
    match having[..] {
        [only] => Ok(only),
        [] => {
            let wanted = format!("{from} has no {split}/<Class>/<image>.jpg, at its top or up to two folders down");
            Err(CloudError::failed(format!("{wanted}: {}", instead(split, files))))
        }
        _ => known(sets).filter(|set| set.images(split) > 0).ok_or_else(|| {
            let roots: Vec<String> = having.iter().map(|set| format!("{from}/{}", set.root)).collect();
            let message = format!("{from} holds {} data sets that have {split}", having.len());
            CloudError::failed(format!("{message}: name one of them in `from`: {}", roots.join(", ")))
        }),
    }
}

/// What is there in place of a part, in words.
fn instead(split: Split, files: &[Local]) -> String {
    const MOST: usize = 5;
    let folders: BTreeSet<&str> = files.iter().flat_map(|local| above(&local.key).take(3)).collect();
    let short = |name: &&str| name.len() > 2 && split.folder().to_lowercase().starts_with(&name.to_lowercase());
    let near = nearest(split.folder(), folders.iter().copied()).or_else(|| folders.iter().copied().find(short));
    if folders.contains(split.folder()) {
        return format!("what lies in {split} is no folder of images each");
    }
    if let Some(near) = near {
        return format!("there is `{near}`; rename it to `{split}`, as the data set has it");
    }
    let shown: Vec<&str> = folders.iter().take(MOST).copied().collect();
    match shown[..] {
        [] => "there is no folder in it".to_owned(),
        _ if folders.len() > MOST => format!("there are {}, ...", shown.join(", ")),
        _ => format!("there are {}", shown.join(", ")),
    }
}

/// The folders that a path leads through, from the top.
fn above(path: &str) -> impl Iterator<Item = &str> {
    path.rsplit_once('/').into_iter().flat_map(|(folders, _)| folders.split('/'))
}

/// The folder of an image, and the class that it is one of.
fn class_of(key: &str) -> Option<(&str, &str)> {
    let (folder, file) = key.rsplit_once('/')?;
    is_image(file).then(|| (folder, folder.rsplit('/').next().unwrap_or(folder)))
}

/// Keeps a sample. With the root of a data set, of what lies in its two folders alone.
fn sampled(
    upload: &Upload,
    sample: Sample,
    root: Option<&str>,
    files: &mut Vec<Local>,
    notes: &mut Vec<String>,
) -> Result<(), CloudError> {
    let within = |key: &str| match root {
        Some(root) => placed(key).is_some_and(|placed| placed.root == root),
        None => true,
    };
    let class = |local: &Local| class_of(&local.key).filter(|_| within(&local.key)).map(|(_, class)| class.to_owned());
    let mut classes: Vec<String> = files.iter().filter_map(class).collect::<BTreeSet<_>>().into_iter().collect();
    if classes.is_empty() {
        let message = "has no folders of images, <Class>/<image>, to take a sample of";
        return Err(CloudError::failed(format!("{} {message}", upload.from.display())));
    }
    let all = classes.len();
    classes.sort_by_cached_key(|class| rank(class));
    let most = |said: Option<u32>| said.map_or(usize::MAX, |said| usize::try_from(said).unwrap_or(usize::MAX));
    classes.truncate(most(sample.classes));
    let wanted: BTreeSet<&str> = classes.iter().map(String::as_str).collect();

    let mut folders: BTreeMap<&str, Vec<(usize, [u8; 32])>> = BTreeMap::new();
    for (index, local) in files.iter().enumerate() {
        let Some((folder, class)) = class_of(&local.key).filter(|_| within(&local.key)) else { continue };
        if wanted.contains(class) {
            let file = local.key.rsplit('/').next().unwrap_or_default();
            folders.entry(folder).or_default().push((index, rank(&format!("{class}/{file}"))));
        }
    }
    let (mut keep, mut short) = (vec![false; files.len()], 0);
    for images in folders.values_mut() {
        images.sort_by_key(|(_, rank)| *rank);
        short += usize::from(sample.images.is_some_and(|_| images.len() < most(sample.images)));
        images.iter().take(most(sample.images)).for_each(|(index, _)| keep[*index] = true);
    }
    let part = upload.split.map_or_else(String::new, |split| format!("{split}, "));
    let images = sample.images.map_or_else(|| "all images".to_owned(), |m| counted(most(Some(m)), "image"));
    notes.push(format!("sent of it: {part}{} of {} x {images}", grouped(wanted.len() as u64), classes_of(all)));
    if let Some(asked) = sample.classes.filter(|_| most(sample.classes) > all) {
        notes.push(format!("{} were asked for: there {}", classes_of(most(Some(asked))), are(all)));
    }
    if short > 0 {
        notes.push(format!("{} fewer than the images that were asked for", have(short)));
    }
    let mut kept = keep.into_iter();
    files.retain(|_| kept.next().unwrap_or(false));
    Ok(())
}

fn classes_of(n: usize) -> String {
    if n == 1 { "1 class".to_owned() } else { format!("{} classes", grouped(n as u64)) }
}

fn are(n: usize) -> String {
    let verb = if n == 1 { "is" } else { "are" };
    format!("{verb} {}", grouped(n as u64))
}

fn have(folders: usize) -> String {
    let verb = if folders == 1 { "has" } else { "have" };
    format!("{} {verb}", counted(folders, "folder"))
}

/// Where a name stands in the order of samples: nothing but the name decides.
fn rank(name: &str) -> [u8; 32] {
    Sha256::digest(name).into()
}

#[cfg(test)]
mod tests {
    use super::super::local::At;
    use super::*;
    use crate::stack::{Links, Place};

    fn local(path: &str) -> Local {
        Local { at: At::Disk(path.into()), key: path.to_owned(), size: 1, modified: None }
    }

    fn upload(split: Option<Split>, sample: Option<(Option<u32>, Option<u32>)>) -> Upload {
        let sample = sample.map(|(classes, images)| Sample { classes, images });
        Upload { from: "fruits.zip".into(), to: Place::new("data", "images/"), links: Links::Within, split, sample }
    }

    /// Six classes of so many images, in both parts, below a root, and something beside.
    fn fruits(root: &str) -> Vec<String> {
        let mut all: Vec<String> = vec![format!("{root}test-multiple_fruits/1.jpg"), "LICENSE".into()];
        for (split, images) in [("Training", 8), ("Test", 3)] {
            for class in ["Apple", "Banana", "Fig", "Kiwi", "Lime", "Pear"] {
                all.extend((0..images).map(|number| format!("{root}{split}/{class}/{number}_100.jpg")));
            }
        }
        all
    }

    fn chosen(upload: &Upload, in_zip: bool, paths: &[String]) -> Result<(Vec<String>, Vec<String>), CloudError> {
        let chosen = choose(upload, in_zip, paths.iter().map(|path| local(path)).collect())?;
        Ok((chosen.files.into_iter().map(|local| local.key).collect(), chosen.notes))
    }

    #[track_caller]
    fn keys(upload: &Upload, in_zip: bool, paths: &[String]) -> BTreeSet<String> {
        chosen(upload, in_zip, paths).expect("chosen").0.into_iter().collect()
    }

    #[test]
    fn without_a_wish_a_folder_is_sent_as_it_is() {
        let all = fruits("fruits-360/");
        assert_eq!(keys(&upload(None, None), false, &all), all.iter().cloned().collect());
        let of_zip = chosen(&upload(None, None), true, &all).expect("chosen");
        assert_eq!(of_zip.1, ["1 file beside fruits-360/ in the zip: not sent"]);
        assert!(of_zip.0.contains(&"Training/Apple/0_100.jpg".to_owned()) && of_zip.0.len() == all.len() - 1);
        let others = ["a/1.jpg".to_owned(), "notes.txt".to_owned()];
        assert_eq!(keys(&upload(None, None), true, &others), others.iter().cloned().collect());
    }

    #[test]
    fn a_part_is_its_classes() {
        for root in ["", "fruits-360/", "fruits-360_dataset/fruits-360/"] {
            for in_zip in [false, true] {
                let (keys, notes) = chosen(&upload(Some(Split::Test), None), in_zip, &fruits(root)).expect("chosen");
                assert_eq!((keys.len(), keys[0].as_str()), (18, "Apple/0_100.jpg"));
                assert_eq!(notes, ["sent of it: Test"]);
            }
        }
    }

    #[test]
    fn a_sample_is_the_same_whatever_the_order_and_the_root_and_grows() {
        let of = |classes, images, root: &str, seed| {
            let mut all = fruits(root);
            fastrand::Rng::with_seed(seed).shuffle(&mut all);
            keys(&upload(Some(Split::Training), Some((classes, images))), seed % 2 == 0, &all)
        };
        let first = of(Some(2), Some(3), "", 1);
        assert_eq!(first.len(), 6);
        // What was sent once is the sample for good.
        let wanted = ["Fig/", "Pear/"];
        assert!(first.iter().all(|key| wanted.iter().any(|class| key.starts_with(class))), "{first:?}");
        for seed in 2..20 {
            assert_eq!(
                of(Some(2), Some(3), ["", "a/", "a/b/"][usize::try_from(seed % 3).expect("small")], seed),
                first
            );
        }
        assert!(of(Some(2), Some(4), "", 1).is_superset(&first));
        assert!(of(Some(4), Some(3), "", 1).is_superset(&first));
        assert_eq!(of(None, None, "", 1).len(), 48);
        assert_eq!(of(None, Some(1), "", 1).len(), 6);
        assert_eq!(of(Some(1), None, "", 1).len(), 8);
    }

    #[test]
    fn a_sample_of_both_parts_has_the_same_classes_in_each() {
        for (in_zip, root) in [(true, ""), (false, "fruits-360/")] {
            let sampled = keys(&upload(None, Some((Some(2), Some(2)))), in_zip, &fruits("fruits-360/"));
            let of = |split: &str| -> BTreeSet<String> {
                let below = format!("{root}{split}/");
                let keys = sampled.iter().filter_map(|key| key.strip_prefix(&below));
                keys.filter_map(|key| Some(key.split_once('/')?.0.to_owned())).collect()
            };
            assert_eq!((sampled.len(), of("Training").len()), (8, 2), "{sampled:?}");
            assert_eq!(of("Training"), of("Test"));
        }
        // Where nothing is recognised, classes are what images lie in.
        let plain = ["a/1.jpg", "a/2.jpg", "b/1.jpg", "b/notes.txt", "top.jpg"].map(str::to_owned);
        assert_eq!(keys(&upload(None, Some((None, Some(1)))), false, &plain).len(), 2);
    }

    #[test]
    fn what_is_not_there_is_told() {
        let sample = Some((Some(9), Some(5)));
        let (keys, notes) = chosen(&upload(Some(Split::Test), sample), true, &fruits("")).expect("chosen");
        assert_eq!(keys.len(), 18);
        let told = [
            "sent of it: Test, 6 of 6 classes x 5 images",
            "9 classes were asked for: there are 6",
            "6 folders have fewer than the images that were asked for",
        ];
        assert_eq!(notes, told);
        let refused = |paths: &[&str], sample| {
            let paths: Vec<String> = paths.iter().map(|path| (*path).to_owned()).collect();
            let split = if sample { None } else { Some(Split::Training) };
            let sample = sample.then_some((Some(1), None));
            chosen(&upload(split, sample), true, &paths).expect_err("has none").message
        };
        let no = "fruits.zip has no Training/<Class>/<image>.jpg, at its top or up to two folders down";
        let near = |name: &str| format!("{no}: there is `{name}`; rename it to `Training`, as the data set has it");
        assert_eq!(refused(&["Train/Apple/1.jpg"], false), near("Train"));
        assert_eq!(refused(&["a/training/Apple/1.jpg"], false), near("training"));
        assert_eq!(refused(&["Apple/1.jpg", "Fig/1.jpg"], false), format!("{no}: there are Apple, Fig"));
        assert_eq!(refused(&["1.jpg"], false), format!("{no}: there is no folder in it"));
        let flat = format!("{no}: what lies in Training is no folder of images each");
        assert_eq!(refused(&["Training/1.jpg"], false), flat);
        assert!(refused(&["Test/Apple/1.jpg"], false).starts_with(no));
        assert_eq!(
            refused(&["1.jpg"], true),
            "fruits.zip has no folders of images, <Class>/<image>, to take a sample of"
        );
    }

    #[test]
    fn of_several_data_sets_the_known_one_is_meant_or_one_has_to_be_named() {
        let mut both = fruits("a/");
        both.extend(fruits("b/"));
        let error = chosen(&upload(Some(Split::Test), None), true, &both).expect_err("which?").message;
        let told =
            "fruits.zip holds 2 data sets that have Test: name one of them in `from`: fruits.zip/a/, fruits.zip/b/";
        assert_eq!(error, told);
        // Nobody asked for a part: all of it goes, and is told.
        let (keys, notes) = chosen(&upload(None, None), true, &both).expect("chosen");
        assert_eq!((keys.len(), notes), (both.len(), vec!["there are 2 data sets: a/, b/".to_owned()]));

        let known = |split: &'static str, of: usize| (0..of).map(move |i| format!("known/{split}/{}/{i}.jpg", i % 131));
        both.extend(known("Training", 67_692).chain(known("Test", 22_688)));
        let (keys, notes) = chosen(&upload(Some(Split::Test), None), true, &both).expect("chosen");
        assert_eq!((keys.len(), notes[0].as_str()), (22_688, "there are 3 data sets: a/, b/, known/"));
    }
}
