//! Files of this machine that belong in a bucket: a folder, a file or a zip, which part of the data set in it and how
//! much of that. What is there is looked at by `sync`; here is only what was asked for.

use std::fmt;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use super::Place;
use crate::text::grouped;

/// A folder or a zip of this machine, and where its files go.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Upload {
    /// A file, a folder, a `.zip`, or a folder in a zip, as in `../fruits-360.zip/fruits-360_100x100`; relative to the
    /// stack's file. A zip is read as it is, and never unpacked.
    pub from: PathBuf,
    /// A bucket's key and a prefix in it, as in `data/images/`.
    pub to: Place,
    /// What becomes of symbolic links below `from`.
    #[serde(default)]
    pub links: Links,
    /// The part of a data set that is laid out as Fruits-360 is: its classes go directly below `to`. Without it, all of
    /// `from` goes there.
    pub split: Option<Split>,
    /// So many images of so many classes, the same ones on every machine; all of them unless said.
    pub sample: Option<Sample>,
}

impl Upload {
    /// Whether it sends less than all of `from`, as far as the stack says.
    #[must_use]
    pub fn chooses(&self) -> bool {
        self.split.is_some() || self.sample.is_some()
    }
}

/// What becomes of symbolic links in an uploaded folder. What `from` itself says may be anywhere.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Links {
    /// They may lead within the folder; one that leads out of it stops the upload.
    #[default]
    Within,
    /// They are followed wherever they lead.
    Follow,
}

/// A part of a data set, by the name of its folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
pub enum Split {
    /// The images to learn from: `Training/<Class>/<image>.jpg`.
    Training,
    /// The images to try it on: `Test/<Class>/<image>.jpg`.
    Test,
}

impl Split {
    pub const ALL: [Self; 2] = [Self::Training, Self::Test];

    /// The name of its folder.
    #[must_use]
    pub const fn folder(self) -> &'static str {
        match self {
            Self::Training => "Training",
            Self::Test => "Test",
        }
    }
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.folder())
    }
}

/// How much of a data set is sent, as in `{classes: 10, images: 50}`. A larger sample holds the smaller one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = serde_json::json!({"classes": 10, "images": 50}))]
pub struct Sample {
    /// Classes; all of them unless said.
    pub classes: Option<u32>,
    /// Images of each class, and of each part of the data set where both are sent; all of them unless said.
    pub images: Option<u32>,
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counted = |number: Option<u32>, one: &str, more: &str| match number {
            None => format!("all {more}"),
            Some(1) => format!("1 {one}"),
            Some(number) => format!("{} {more}", grouped(number.into())),
        };
        let classes = counted(self.classes, "class", "classes");
        write!(f, "{classes} x {}", counted(self.images, "image", "images"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_told_in_words() {
        let told = |classes, images| Sample { classes, images }.to_string();
        assert_eq!(told(Some(10), Some(50)), "10 classes x 50 images");
        assert_eq!(told(Some(1), None), "1 class x all images");
        assert_eq!(told(None, Some(1)), "all classes x 1 image");
    }
}
