//! The nodes as pip knows them: which files run there, and which conditions hold there. Pure.

use serde::Serialize;
use serde_json::{Value, json};

/// The Python and the machine that wheels are for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Target {
    /// `3.11`.
    pub python: String,
    /// `x86_64` or `arm64`, as AWS says it.
    pub arch: &'static str,
    /// The nodes' glibc is 2.this.
    pub glibc: u32,
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Python {} on {} Linux", self.python, self.arch)
    }
}

impl Target {
    /// The processor, as Linux says it.
    fn machine(&self) -> &'static str {
        if self.arch == "arm64" { "aarch64" } else { self.arch }
    }

    /// pip's options for files that run there.
    pub(super) fn options(&self) -> Vec<String> {
        let machine = self.machine();
        // Newest first: pip prefers the order given. The three last are the names before PEP 600.
        let numbered = (5..=self.glibc).rev().map(|minor| format!("manylinux_2_{minor}_{machine}"));
        let named = ["manylinux2014", "manylinux2010", "manylinux1"].map(|name| format!("{name}_{machine}"));
        let platforms = numbered.chain(named).map(|platform| format!("--platform={platform}"));
        let python = [format!("--python-version={}", self.python), "--implementation=cp".into()];
        python.into_iter().chain(["--only-binary=:all:".into()]).chain(platforms).collect()
    }

    /// What PEP 508's variables are there.
    pub(super) fn markers(&self) -> Value {
        json!({
            "implementation_name": "cpython",
            "implementation_version": format!("{}.0", self.python),
            "os_name": "posix",
            "platform_machine": self.machine(),
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": "Linux",
            "platform_version": "",
            "python_full_version": format!("{}.0", self.python),
            "python_version": self.python,
            "sys_platform": "linux",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_takes_what_its_glibc_and_processor_run() {
        let options = Target { python: "3.9".into(), arch: "arm64", glibc: 26 }.options();
        assert_eq!(options[..3], ["--python-version=3.9", "--implementation=cp", "--only-binary=:all:"]);
        assert_eq!(options[3], "--platform=manylinux_2_26_aarch64");
        assert!(options.contains(&"--platform=manylinux2014_aarch64".into()));
        assert!(!options.iter().any(|option| option.contains("2_27") || option.contains("x86_64")));
    }

    #[test]
    fn conditions_are_the_nodes_own() {
        let markers = Target { python: "3.9".into(), arch: "arm64", glibc: 34 }.markers();
        assert_eq!((&markers["platform_machine"], &markers["python_version"]), (&json!("aarch64"), &json!("3.9")));
    }
}
