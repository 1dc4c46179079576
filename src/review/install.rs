//! The files by which a forge reviews each request that touches stacks. Pure text; no secret is ever in it.

use serde_json::json;

use crate::script::{self, ScriptError};

/// Who reviews.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Forge {
    Github,
    Gitlab,
}

/// The files of a forge, by name.
pub fn files(forge: Forge) -> Result<Vec<(&'static str, String)>, ScriptError> {
    let (name, template) = match forge {
        Forge::Github => ("fruitsinfra-review.yml", "review/github.j2"),
        Forge::Gitlab => ("fruitsinfra-review.gitlab-ci.yml", "review/gitlab.j2"),
    };
    Ok(vec![(name, script::embedded(template, &json!({}))?)])
}
