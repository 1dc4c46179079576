//! A stack as others read it: a notebook, a diagram, a bundle for Databricks. Pure: values in, texts out, and what has no
//! counterpart there is told. It never connects to the places it writes for, and holds no second copy of a job's code.

pub mod databricks;
pub mod diagram;
pub mod notebook;
mod without;

use std::path::Path;

use crate::script::ScriptError;

/// Files by name, and what is to be known of them.
#[derive(Debug, Default)]
pub struct Written {
    /// Names may lead into a folder of their own: `databricks/databricks.yml`.
    pub files: Vec<(String, String)>,
    pub remarks: Vec<Remark>,
}

/// What of a stack another place has no word for, or says otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    pub code: &'static str,
    /// What the stack says.
    pub what: String,
    /// What there is instead.
    pub instead: String,
}

impl Remark {
    /// Nothing there does it.
    fn lost(what: impl Into<String>, instead: impl Into<String>) -> Self {
        Self { code: "FI340", what: what.into(), instead: instead.into() }
    }

    /// Something there does it in another way.
    fn otherwise(what: impl Into<String>, instead: impl Into<String>) -> Self {
        Self { code: "FI341", what: what.into(), instead: instead.into() }
    }
}

/// Why a stack is not written in a form.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// It has nothing that would stand there.
    #[error("{0}")]
    Nothing(&'static str),
    /// A template of somebody's own need not have the form of ours.
    #[error("the script of job `{job}` cannot become a notebook: {why}")]
    Uncut { job: String, why: String },
    #[error(transparent)]
    Script(#[from] ScriptError),
}

/// The last part of a path: where a machine keeps its files is nobody else's concern.
fn name_of(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}
