//! Words for numbers, the same everywhere. Pure; it knows nothing of what is counted.

use std::time::Duration;

/// `1 object`, `2,048 objects`.
pub fn counted(n: usize, noun: &str) -> String {
    let plural = if n == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", grouped(n as u64))
}

/// `22,688`.
pub fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let groups: Vec<&str> = digits.as_bytes().rchunks(3).rev().filter_map(|g| std::str::from_utf8(g).ok()).collect();
    groups.join(",")
}

/// `1.2 MB`, in powers of a thousand, as AWS bills.
pub fn bytes(n: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
    let mut size = n as f64;
    for unit in ["B", "kB", "MB", "GB"] {
        if size < 1000.0 {
            return if unit == "B" { format!("{n} B") } else { format!("{size:.1} {unit}") };
        }
        size /= 1000.0;
    }
    format!("{size:.1} TB")
}

/// `45 s`, `3 min 05 s`, `2 h 10 min`.
pub fn lasting(long: Duration) -> String {
    match long.as_secs() {
        s if s < 60 => format!("{s} s"),
        s if s < 3600 => format!("{} min {:02} s", s / 60, s % 60),
        s => format!("{} h {:02} min", s / 3600, s % 3600 / 60),
    }
}

/// `45 s`, `47 min`, `3 h`, `2 h 10 min`, `3 d 4 h`: no finer than it matters.
pub fn about(long: Duration) -> String {
    let seconds = long.as_secs();
    let parts = |n: u64, unit: &str, rest: u64, smaller: &str| {
        if rest == 0 { format!("{n} {unit}") } else { format!("{n} {unit} {rest} {smaller}") }
    };
    match seconds {
        s if s < 60 => format!("{s} s"),
        s if s < 3600 => format!("{} min", s / 60),
        s if s < 172_800 => parts(s / 3600, "h", s % 3600 / 60, "min"),
        s => parts(s / 86400, "d", s % 86400 / 3600, "h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_people_write_them() {
        assert_eq!(counted(1, "object"), "1 object");
        assert_eq!(counted(22688, "image"), "22,688 images");
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(9_451_088), "9.5 MB");
        assert_eq!(lasting(Duration::from_secs(59)), "59 s");
        assert_eq!(lasting(Duration::from_secs(185)), "3 min 05 s");
        assert_eq!(lasting(Duration::from_mins(130)), "2 h 10 min");
        let told = [45, 2850, 10800, 7800, 273_600].map(|seconds| about(Duration::from_secs(seconds)));
        assert_eq!(told, ["45 s", "47 min", "3 h", "2 h 10 min", "3 d 4 h"]);
    }
}
