//! What is known against a Python package, wherever it is asked for: in a stack's `packages` or in a script's
//! `pip install`. Facts about names, versions and wheels; it neither reads nor points at texts.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::sync::LazyLock;

use super::finding::{Severity, nearest};
use super::job::{is_tensorflow, normal_package};

/// The newest wheels that the Python of a release can install: later ones were never built for it.
/// From the files of the Python package index.
const NEWEST_WHEELS: [(&str, &str, &str); 7] = [
    ("3.7", "tensorflow", "2.11.0"),
    ("3.7", "tensorflow-cpu", "2.11.0"),
    ("3.7", "pyarrow", "12.0.1"),
    ("3.9", "tensorflow", "2.20.0"),
    ("3.9", "tensorflow-cpu", "2.20.0"),
    ("3.9", "keras", "3.10.0"),
    ("3.9", "pyarrow", "21.0.0"),
];

/// Packages that work of this kind installs: a name one slip away from one of them is suspected.
const USUAL: &str = "aiobotocore boto3 botocore cython dask fsspec h5py imageio ipykernel joblib jupyter jupyterlab keras \
    keras-applications kaggle koalas matplotlib mlflow numba numpy onnx onnxruntime opencv-python \
    opencv-python-headless openpyxl pandas pillow pip plotly polars protobuf psutil pyarrow pyspark python-dateutil \
    pyyaml requests s3fs s3transfer scikit-image scikit-learn scipy seaborn setuptools sparkmagic statsmodels tensorboard \
    tensorflow tensorflow-cpu tensorflow-hub tensorflow-io torch torchvision tqdm urllib3 virtualenv wheel xgboost";

/// Names that are near to a usual one and are packages of good standing themselves.
const ALSO_KNOWN: &str = "arrow black bokeh boto pips dash dill flask image jax keras-core numpydoc numexpr pathos petl \
    pip-tools ply poetry pyarrow-hotfix pycares pydash pyperf pyspark-client request-id scapy scikit-build scikit-optimize \
    seaborn-image sympy tensorflow-gpu tensorflow-text tensorflow-probability tf-keras toml tornado tox tqdm-joblib \
    trino uv vaex wheels zarr";

/// Names that are taken for those of another package: as it is imported, or as it was once called.
const MISTAKEN: [(&str, &str); 15] = [
    ("attr", "attrs"),
    ("bs4", "beautifulsoup4"),
    ("cv2", "opencv-python-headless"),
    ("dateutil", "python-dateutil"),
    ("dotenv", "python-dotenv"),
    ("opencv", "opencv-python-headless"),
    ("pil", "pillow"),
    ("pytorch", "torch"),
    ("skimage", "scikit-image"),
    ("sklearn", "scikit-learn"),
    ("spark", "pyspark"),
    ("tensorflow-gpu", "tensorflow"),
    ("tf", "tensorflow"),
    ("yaml", "pyyaml"),
    ("arrow", "pyarrow"),
];

/// Names that belong to Python itself, and on the index to whoever took them.
const BUILT_IN: [&str; 15] = [
    "argparse",
    "collections",
    "csv",
    "datetime",
    "functools",
    "glob",
    "io",
    "itertools",
    "json",
    "logging",
    "math",
    "os",
    "pathlib",
    "re",
    "subprocess",
];

/// What is said against one package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) code: &'static str,
    pub(crate) severity: Severity,
    pub(crate) message: String,
    pub(crate) hint: String,
}

/// The name, as it was written: what it cannot be, and what it was probably meant to be.
pub(crate) fn name(written: &str) -> Option<Verdict> {
    let package = normal_package(written);
    let verdict = |code, severity, message: String, hint: String| Some(Verdict { code, severity, message, hint });
    if !is_package(written) {
        let message = format!("`{written}` cannot be the name of a package");
        return verdict("FI603", Severity::Error, message, "write the name alone, its version apart".into());
    }
    if package == "pyspark" {
        let message = "a second Spark would hide the release's own".to_owned();
        return verdict("FI604", Severity::Warning, message, "remove it: EMR brings pyspark".into());
    }
    if let Some((_, meant)) = MISTAKEN.iter().find(|(wrong, _)| *wrong == package) {
        let message = format!("`{written}` is another package than the one that is usually meant, `{meant}`");
        return verdict("FI613", Severity::Warning, message, format!("did you mean `{meant}`?"));
    }
    if BUILT_IN.contains(&package.as_str()) {
        let message = format!("`{written}` is part of Python: on the index the name belongs to somebody else");
        return verdict("FI613", Severity::Warning, message, "remove it".into());
    }
    let meant = slip_of(&package)?;
    let message =
        format!("`{written}` looks like a slip for `{meant}`, and whoever owns that name runs code on your nodes");
    verdict("FI603", Severity::Error, message, format!("did you mean `{meant}`?"))
}

/// Names that are no slips.
static KNOWN: LazyLock<HashSet<&str>> =
    LazyLock::new(|| [USUAL, ALSO_KNOWN].into_iter().flat_map(str::split_whitespace).collect());

/// The usual package that a name is one slip away from, or two if it is long.
fn slip_of(package: &str) -> Option<&'static str> {
    if package.len() < 4 || KNOWN.contains(package) {
        return None;
    }
    let near = nearest(package, USUAL.split_whitespace())?;
    let slips = strsim::damerau_levenshtein(package, near);
    let most = if near.len() >= 8 { 2 } else { 1 };
    // Another number at the end is another package, as in boto2.
    let numbered = |name: &str| name.ends_with(|c: char| c.is_ascii_digit());
    let stem = |name: &'static str| name.trim_end_matches(|c: char| c.is_ascii_digit());
    let same_stem = package.trim_end_matches(|c: char| c.is_ascii_digit()) == stem(near);
    (slips <= most && near.len() >= 4 && !(numbered(package) && same_stem)).then_some(near)
}

/// A version that the Python of the nodes cannot install, or that Spark was not made for.
pub(crate) fn version(written: &str, version: &str, python: &str) -> Option<Verdict> {
    let package = normal_package(written);
    let newest = NEWEST_WHEELS.iter().find(|(on, name, _)| *on == python && *name == package);
    if let Some((_, _, newest)) = newest
        && compare(version, newest) == Ordering::Greater
    {
        let message = format!("{package} {version} has no wheel for Python {python}; the newest is {newest}");
        let hint = format!("pin {newest}, or set PYSPARK_PYTHON to a newer Python of the release");
        return Some(Verdict { code: "FI605", severity: Severity::Error, message, hint });
    }
    if package == "pandas" && compare(version, "3") != Ordering::Less {
        let (message, hint) = ("Spark 3.5 was not made for pandas 3", "pin a version below 3, as in 2.3.3");
        return Some(Verdict {
            code: "FI606",
            severity: Severity::Warning,
            message: message.into(),
            hint: hint.into(),
        });
    }
    None
}

/// TensorFlow beside the release's own.
pub(crate) fn twice(written: &str, application: bool) -> Option<Verdict> {
    (application && is_tensorflow(&normal_package(written))).then(|| Verdict {
        code: "FI607",
        severity: Severity::Error,
        message: "TensorFlow comes as an application already: two versions would meet in one process".into(),
        hint: "remove the package, or the application".into(),
    })
}

/// What is not built for arm64, where `arm` says which nodes are.
pub(crate) fn foreign(written: &str, arm: Option<&str>) -> Option<Verdict> {
    let arm = arm.filter(|_| normal_package(written) == "tensorflow-cpu")?;
    Some(Verdict {
        code: "FI608",
        severity: Severity::Error,
        message: format!("tensorflow-cpu has no wheel for arm64, which {arm} is"),
        hint: "install `tensorflow` of the same version".into(),
    })
}

/// Whether a text is one exact version, as PEP 440 has them.
pub(crate) fn is_version(text: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let suffix = |part: &str| {
        let marks = ["a", "b", "rc", "post", "dev"];
        let split = part.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(0);
        let (number, rest) = part.split_at(split);
        (number.is_empty() || digits(number)) && marks.iter().any(|mark| rest.strip_prefix(mark).is_some_and(digits))
    };
    let mut parts = text.split('.');
    parts.next().is_some_and(digits) && parts.all(|part| digits(part) || suffix(part))
}

/// `name`, or `name[extra,other]`, as PEP 508 has them.
fn is_package(name: &str) -> bool {
    let word = |text: &str| {
        let ends = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
        let legal = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        ends(text.chars().next()) && ends(text.chars().last()) && text.chars().all(legal)
    };
    match name.split_once('[') {
        None => word(name),
        Some((name, extras)) => word(name) && extras.strip_suffix(']').is_some_and(|all| all.split(',').all(word)),
    }
}

/// Compares versions by their numbers.
fn compare(one: &str, other: &str) -> Ordering {
    let numbers = |version: &str| -> Vec<u64> { version.split('.').map_while(|part| part.parse().ok()).collect() };
    numbers(one).cmp(&numbers(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_suspected_and_packages_are_not() {
        let slips = [
            ("whell", "wheel"),
            ("whel", "wheel"),
            ("panda", "pandas"),
            ("pandsa", "pandas"),
            ("numppy", "numpy"),
            ("pyarow", "pyarrow"),
            ("matplotib", "matplotlib"),
            ("tensorlfow", "tensorflow"),
            ("tenserflow", "tensorflow"),
            ("scikitlearn", "scikit-learn"),
            ("setuptool", "setuptools"),
            ("pilow", "pillow"),
            ("requets", "requests"),
        ];
        for (slip, meant) in slips {
            assert_eq!(slip_of(slip), Some(meant), "{slip}");
            assert_eq!(name(slip).map(|verdict| (verdict.code, verdict.severity)), Some(("FI603", Severity::Error)));
        }
        let sound = [
            "pandas",
            "boto",
            "boto2",
            "scapy",
            "dash",
            "torch",
            "tox",
            "zarr",
            "tf-keras",
            "dm-tree",
            "arrow-odbc",
            "keras",
            "tensorflow-cpu",
            "s3fs",
            "polars",
            "geopandas",
            "jax",
            "numba",
            "sympy",
            "py4j",
            "fsspec",
            "lxml",
        ];
        for package in sound {
            assert_eq!(slip_of(package), None, "{package}");
        }
        for (mistaken, meant) in MISTAKEN {
            let verdict = name(mistaken).unwrap_or_else(|| panic!("{mistaken}"));
            assert!(verdict.code == "FI613" && verdict.hint.contains(meant), "{verdict:?}");
        }
        assert_eq!(name("json").map(|verdict| verdict.code), Some("FI613"));
    }

    #[test]
    fn versions_are_exact_or_not() {
        for exact in ["1.2.3", "2.0.post1", "1.2.3rc1", "1.10", "7"] {
            assert!(is_version(exact), "{exact}");
        }
        for loose in [">=2", "latest", "1.2.*", "", "==1", "1..2"] {
            assert!(!is_version(loose), "{loose}");
        }
    }
}
