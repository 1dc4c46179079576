//! A job's script in pieces: what it begins with, its numbered sections, and the block that reads a command line. By the
//! headings alone; what stands between them is not understood, and never changed.

use crate::script::is_rule;

/// The pieces, in their order.
#[derive(Debug)]
pub(super) struct Script<'a> {
    /// With its docstring kept as what the script calls it.
    pub(super) opening: String,
    pub(super) sections: Vec<Section<'a>>,
    /// The last block, without its `if`, one level further out; it leaves the session open.
    pub(super) block: String,
}

#[derive(Debug)]
pub(super) struct Section<'a> {
    pub(super) title: &'a str,
    pub(super) code: String,
}

const STOP: &str = "spark.stop()";

/// Cuts a script, or says why it cannot be.
pub(super) fn cut(text: &str) -> Result<Script<'_>, String> {
    let lines: Vec<&str> = text.lines().collect();
    let headings = headings(&lines)?;
    let main = |line: &&str| line.starts_with("if __name__ == ");
    let last = headings.last().map_or(0, |heading| heading.code);
    let Some(at) = lines.iter().skip(last).position(main).map(|at| at + last) else {
        return Err("no block `if __name__ == \"__main__\":` comes after its last section".into());
    };
    let block = block(lines.get(at + 1..).unwrap_or_default(), at + 2)?;
    let joined =
        |from: usize, to: usize| lines.get(from..to).unwrap_or_default().join("\n").trim_matches('\n').to_owned();
    let ends = headings.iter().skip(1).map(|heading| heading.begins).chain([at]);
    let sections = headings
        .iter()
        .zip(ends)
        .map(|(heading, end)| Section { title: heading.title, code: joined(heading.code, end) });
    let sections = sections.collect();
    let opening = joined(0, headings.first().map_or(0, |heading| heading.begins));
    // A cell's docstring is an expression; the script reads it by its name.
    let documented = ["\"\"\"", "'''", "r\"\"\""].iter().any(|begins| opening.starts_with(begins));
    let opening = if documented { format!("__doc__ = {opening}") } else { opening };
    Ok(Script { opening, sections, block })
}

struct Heading<'a> {
    title: &'a str,
    /// The first line of it.
    begins: usize,
    /// The first line after it.
    code: usize,
}

/// `# 1. Title` between two rules of dashes; numbered from 1, none left out.
fn headings<'a>(lines: &[&'a str]) -> Result<Vec<Heading<'a>>, String> {
    let mut found: Vec<Heading<'a>> = vec![];
    for (at, line) in lines.iter().enumerate() {
        let Some((number, title)) = numbered(line) else { continue };
        let blank = |at: &usize| lines.get(*at).is_some_and(|line| line.trim().is_empty());
        let before = (0..at).rev().find(|at| !blank(at));
        let after = (at + 1..lines.len()).find(|at| !blank(at));
        let (Some(begins), Some(rule)) = (before, after) else { continue };
        if !(is_rule(lines[begins]) && is_rule(lines[rule])) {
            continue;
        }
        if number != found.len() + 1 {
            return Err(format!("line {}: section {number} follows section {}", at + 1, found.len()));
        }
        found.push(Heading { title, begins, code: rule + 1 });
    }
    if found.is_empty() {
        return Err("it has no numbered section: `# 1. Title` on a line between two of `# ----------`".into());
    }
    Ok(found)
}

fn numbered(line: &str) -> Option<(usize, &str)> {
    let (number, title) = line.strip_prefix("# ")?.split_once(". ")?;
    Some((number.parse().ok()?, title.trim())).filter(|(_, title)| !title.is_empty())
}

/// The lines of a block without its first indentation; `first` is the number of its first line.
fn block(lines: &[&str], first: usize) -> Result<String, String> {
    let said = |line: &&&str| !line.trim().is_empty();
    let indent = lines.iter().find(said).map_or(0, |line| line.len() - line.trim_start().len());
    if indent == 0 {
        return Err("its block `if __name__ == \"__main__\":` is empty".into());
    }
    let mut block = vec![];
    for (n, line) in lines.iter().enumerate() {
        match line.split_at_checked(indent) {
            _ if line.trim().is_empty() => block.push(String::new()),
            Some((space, rest)) if space.trim().is_empty() && rest.trim() == STOP => {
                block.push(rest.replace(STOP, "pass  # the session stays, for the plots"));
            }
            Some((space, rest)) if space.trim().is_empty() => block.push(rest.to_owned()),
            _ => return Err(format!("line {}: something follows its block `if __name__ == \"__main__\":`", first + n)),
        }
    }
    Ok(block.join("\n").trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: &str = "# ------------------------------------";

    fn heading(n: usize, title: &str) -> String {
        format!("{RULE}\n# {n}. {title}\n{RULE}\n")
    }

    #[test]
    fn a_script_is_cut_at_its_headings_and_loses_nothing() {
        let text = format!(
            "\"\"\"What it does.\"\"\"\n\nimport x\n\n\n{}\ndef a():\n    # 2. no heading\n    return 1\n\n\n{}\nb = 2\n\n\n\
             if __name__ == \"__main__\":\n    asked = arguments()\n    try:\n        main(asked)\n    finally:\n        spark.stop()\n",
            heading(1, "First: what is asked"),
            heading(2, "Then")
        );
        let script = cut(&text).expect("is cut");
        assert_eq!(script.opening, "__doc__ = \"\"\"What it does.\"\"\"\n\nimport x");
        let told: Vec<(&str, &str)> = script.sections.iter().map(|of| (of.title, of.code.as_str())).collect();
        let expected = [("First: what is asked", "def a():\n    # 2. no heading\n    return 1"), ("Then", "b = 2")];
        assert_eq!(told, expected);
        assert_eq!(
            script.block,
            "asked = arguments()\ntry:\n    main(asked)\nfinally:\n    pass  # the session stays, for the plots"
        );
    }

    #[test]
    fn what_cannot_be_cut_says_why() {
        let main = "if __name__ == \"__main__\":\n    main()\n";
        for (text, why) in [
            (main.to_owned(), "it has no numbered section"),
            (format!("{}x = 1\n", heading(1, "One")), "no block `if __name__"),
            (format!("{}{}{main}", heading(1, "One"), heading(3, "Three")), "line 5: section 3 follows section 1"),
            (format!("{}{main}x = 1\n", heading(1, "One")), "line 6: something follows"),
            (format!("{}if __name__ == \"__main__\":\n", heading(1, "One")), "is empty"),
        ] {
            let told = cut(&text).expect_err(&text);
            assert!(told.contains(why), "{told}");
        }
    }
}
