//! What is told to a jury, in two languages: a job's script step by step, and the runbook of a demonstration. Pure but for
//! counting files of this machine: what it tells is in the stack, in templates and in tables, and AWS is never asked.

pub mod facts;
pub mod runbook;
pub mod times;
pub mod walk;

use crate::script::ScriptError;
use crate::script::told::Lang;

#[derive(Debug, thiserror::Error)]
pub enum TalkError {
    #[error(transparent)]
    Script(#[from] ScriptError),
    #[error("{template}:{line}: a walk-through is written in en or in fr, and not in `{said}`")]
    Language { template: String, line: usize, said: String },
    #[error("{template}:{line}: {} is explained in {} twice", of_section(*.section), .lang.as_str())]
    Twice { template: String, line: usize, section: u32, lang: Lang },
    #[error("{template} is no runbook: {cause}")]
    Runbook { template: String, cause: String },
}

/// A section, as an error names it; the first is what stands before all of them.
fn of_section(section: u32) -> String {
    if section == 0 { "the introduction".to_owned() } else { format!("section {section}") }
}

#[cfg(test)]
mod tests {
    /// A stack with these limits and this cluster.
    pub(super) fn stack(limits: &str, cluster: &str) -> crate::stack::Stack {
        let text = format!(
            "stack: s\nregion: eu-west-3\nowner: o@fruits.example\nlimits: {{{limits}}}\nbuckets: {{data: {{}}}}\ncluster: {{release: emr-7.12.0, {cluster}}}\n\
             bootstrap: [{{name: python, template: bootstrap/python_packages.sh.j2, packages: {{tensorflow: 2.19.1, pyarrow: 21.0.0, pandas: 2.3.3, pillow: 11.3.0}}}}]\n\
             jobs: {{features: {{template: jobs/fruit_features.py.j2, input: data/images/, output: data/}}}}\n"
        );
        crate::stack::load_text("s.yaml", text, std::path::Path::new("")).expect("a stack").stack
    }

    pub(super) const TWO: &str = "primary: {type: m5.xlarge}, core: {type: m5.xlarge, count: 2}";
}
