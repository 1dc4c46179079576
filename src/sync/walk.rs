//! The files below a folder of this machine. It reads no file's content, and never follows a link out of the folder unless
//! that is said.

use std::path::Path;

use walkdir::WalkDir;

use super::local::{At, Local, modified};
use crate::cloud::error::CloudError;
use crate::stack::{Links, Upload};

/// The files below an upload's path, each with the rest of its path as its key.
pub(super) fn walk(upload: &Upload, most: usize) -> Result<Vec<Local>, CloudError> {
    let from = &upload.from;
    let failed =
        |error: &dyn std::fmt::Display| CloudError::failed(format!("{} cannot be read: {error}", from.display()));
    let root = from.canonicalize().map_err(|error| failed(&error))?;
    let mut found = Vec::new();
    for (entry, read) in WalkDir::new(from).follow_links(true).sort_by_file_name().into_iter().zip(1..) {
        let entry = entry.map_err(|error| failed(&error))?;
        let path = entry.path();
        if read > most {
            let message = format!("{} holds more than {most} files and folders, links counted", from.display());
            return Err(CloudError::failed(message));
        }
        // Asked before a folder behind the link is entered.
        if entry.path_is_symlink() && upload.links == Links::Within && entry.depth() > 0 {
            let target = path.canonicalize().map_err(|error| failed(&error))?;
            if !target.starts_with(&root) {
                return Err(CloudError::refused(format!(
                    "{} is a link that leads out of {}, to {}: nothing is sent; remove it, or write `links: follow` on this upload",
                    path.display(),
                    from.display(),
                    target.display()
                )));
            }
        }
        if !entry.file_type().is_file() {
            continue;
        }
        let relative = path
            .strip_prefix(from)
            .ok()
            .filter(|r| !r.as_os_str().is_empty())
            .map_or_else(|| path.file_name().map(Path::new), Some);
        let Some(key) = relative.and_then(Path::to_str) else {
            let message = format!("{} has a name that is not UTF-8, which S3 cannot hold", path.display());
            return Err(CloudError::failed(message));
        };
        let told = entry.metadata().map_err(|error| failed(&error))?;
        let (at, key) = (At::Disk(path.to_owned()), key.to_owned());
        found.push(Local { at, key, size: told.len(), modified: modified(&told) });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::super::look::among;
    use super::*;
    use crate::cloud::error::Class;
    use crate::stack::Place;

    fn folder(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        for file in files {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().expect("below")).expect("made");
            std::fs::write(path, b"x").expect("written");
        }
        folder
    }

    fn upload(from: &Path, links: Links) -> Upload {
        Upload { from: from.to_owned(), to: Place::new("data", "images/"), links, split: None, sample: None }
    }

    fn keys(from: &Path, links: Links) -> Result<Vec<String>, CloudError> {
        let found = among(&upload(from, links), 100)?.expect("is there");
        let keys = found.files.into_iter().map(|local| local.key);
        Ok(keys.map(|key| key.strip_prefix("images/").expect("below").to_owned()).collect())
    }

    #[test]
    fn a_walk_counts_files_and_keeps_odd_names() {
        let folder = folder(&["Pomme Été/a+b%.jpg", "z.jpg"]);
        assert_eq!(keys(folder.path(), Links::Within).expect("walked"), ["Pomme Été/a+b%.jpg", "z.jpg"]);
        assert_eq!(keys(&folder.path().join("z.jpg"), Links::Within).expect("walked"), ["z.jpg"]);
    }

    #[test]
    fn no_link_leads_out_unless_it_is_said() {
        let (folder, elsewhere) = (folder(&["images/apple/a.jpg"]), folder(&["b.jpg", "below/c.jpg"]));
        let images = folder.path().join("images");
        // What is asked for by name may itself be a link, and links may lead within.
        symlink(&images, folder.path().join("linked")).expect("linked");
        symlink("apple", images.join("pomme")).expect("linked");
        let within = ["apple/a.jpg", "pomme/a.jpg"];
        assert_eq!(keys(&folder.path().join("linked"), Links::Within).expect("walked"), within);

        for (target, key) in [(elsewhere.path().join("b.jpg"), "q.jpg"), (elsewhere.path().join("below"), "q/c.jpg")] {
            let link = images.join(key.split('/').next().expect("a part"));
            symlink(&target, &link).expect("linked");
            let refused = keys(&images, Links::Within).expect_err("leads out");
            assert_eq!(refused.class, Class::Refused, "{refused}");
            assert!(refused.message.starts_with(&format!("{} is a link", link.display())), "{refused}");
            assert!(refused.message.contains(&target.display().to_string()), "{refused}");
            assert_eq!(keys(&images, Links::Follow).expect("walked"), [&within[..], &[key]].concat());
            std::fs::remove_file(link).expect("removed");
        }
    }

    #[test]
    fn circles_and_endless_folders_end() {
        let folder = folder(&["a/x.jpg"]);
        let at = |name: &str| folder.path().join(name);
        for (target, name) in [("..", "a/up"), ("me", "me"), ("b", "c"), ("absent", "broken")] {
            symlink(target, at(name)).expect("linked");
            for links in [Links::Within, Links::Follow] {
                let error = keys(folder.path(), links).expect_err("has no end");
                assert!(error.message.contains(&at(name).display().to_string()), "{error}");
            }
            std::fs::remove_file(at(name)).expect("removed");
        }
        // Each folder leads twice to the next: a few links, and 2^n paths.
        for level in 0..16 {
            std::fs::create_dir(at(&format!("d{level}"))).expect("made");
            for twin in ["l", "r"] {
                symlink(format!("../d{}", level + 1), at(&format!("d{level}/{twin}"))).expect("linked");
            }
        }
        std::fs::create_dir(at("d16")).expect("made");
        let error = keys(folder.path(), Links::Within).expect_err("is too much");
        assert!(error.message.contains("more than 100"), "{error}");
    }

    #[test]
    fn names_that_s3_cannot_show_are_told() {
        let long = format!("{}/{}.jpg", "l".repeat(200), "n".repeat(200));
        let long = format!("{0}/{0}/{0}/{0}/{long}", "m".repeat(200));
        for (name, why) in [("new\nline.jpg", "control character"), (long.as_str(), "1024 bytes")] {
            let folder = folder(&[name]);
            let error = keys(folder.path(), Links::Within).expect_err("is unfit");
            assert!(error.message.contains(why), "{error}");
        }
        let fits = format!("{0}/{0}/{0}/{0}/{1}", "m".repeat(200), "n".repeat(1_024 - 7 - 804));
        assert_eq!(keys(folder(&[&fits]).path(), Links::Within).expect("fits"), [fits]);
    }
}
