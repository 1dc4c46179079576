//! A shell script as the commands in it, read by a real parser: which programs run with which words, as whom, and
//! where each stands. It runs nothing and expands nothing: a word that a variable takes part in has no text.

use std::ops::{ControlFlow, Range};

use tree_sitter::{Node, ParseOptions, ParseState, Parser, Tree};

/// A command with its words, wrappers such as `sudo` taken off.
#[derive(Debug)]
pub(super) struct Command {
    pub(super) span: Range<usize>,
    /// Where the program is named.
    pub(super) at: Range<usize>,
    /// Base name of the program; empty where a variable takes part in it.
    pub(super) program: String,
    pub(super) args: Vec<Word>,
    pub(super) redirects: Vec<Redirect>,
    pub(super) sudo: bool,
    /// What its output is piped into.
    pub(super) into: Option<String>,
}

#[derive(Debug, Clone)]
pub(super) struct Word {
    pub(super) span: Range<usize>,
    /// As the shell would read it; none where it would expand something.
    pub(super) text: Option<String>,
}

/// `<` or `>` and what follows it.
#[derive(Debug)]
pub(super) struct Redirect {
    pub(super) span: Range<usize>,
    pub(super) target: Option<Word>,
}

/// All that rules ask of a script.
#[derive(Debug)]
pub(super) struct Script {
    pub(super) commands: Vec<Command>,
    /// Where the first words stand that no shell could read.
    pub(super) unread: Option<Range<usize>>,
}

/// Scripts longer than this are not read: nobody wrote them by hand.
const LONGEST: usize = 256 << 10;

/// The parser is asked to stop after this many looks at its clock: it is quick on everything that people write.
const PATIENCE: u32 = 2_000;

/// Parses a text by a grammar; none where it is too long, or takes too much time.
pub(super) fn tree(text: &str, grammar: &tree_sitter::Language) -> Option<Tree> {
    if text.len() > LONGEST {
        return None;
    }
    let mut parser = Parser::new();
    parser.set_language(grammar).ok()?;
    let mut looks = 0;
    let mut patience = |_: &ParseState| {
        looks += 1;
        if looks > PATIENCE { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let options = ParseOptions::new().progress_callback(&mut patience);
    parser.parse_with_options(&mut |at, _| text.as_bytes().get(at..).unwrap_or_default(), None, Some(options))
}

/// Every node of a tree, parents first: without recursion, for a text may be nested as deep as it likes.
pub(super) fn nodes(tree: &Tree) -> impl Iterator<Item = Node<'_>> {
    let mut cursor = tree.walk();
    let mut next = Some(());
    std::iter::from_fn(move || {
        next?;
        let node = cursor.node();
        if !cursor.goto_first_child() {
            while !cursor.goto_next_sibling() {
                if !cursor.goto_parent() {
                    next = None;
                    break;
                }
            }
        }
        Some(node)
    })
}

/// Reads a script; none where it cannot be taken apart at all.
pub(super) fn read(text: &str) -> Option<Script> {
    let tree = tree(text, &tree_sitter_bash::LANGUAGE.into())?;
    let mut script = Script { commands: Vec::new(), unread: None };
    for node in nodes(&tree) {
        if node.kind() == "command" {
            script.commands.extend(command(node, text));
        } else if (node.is_error() || node.is_missing()) && script.unread.is_none() {
            script.unread = Some(node.byte_range());
        }
    }
    Some(script)
}

/// Programs that run the words after them.
const WRAPPERS: [&str; 7] = ["sudo", "env", "nohup", "time", "exec", "nice", "retry"];

fn command(node: Node<'_>, text: &str) -> Option<Command> {
    let mut cursor = node.walk();
    let children: Vec<Node<'_>> = node.named_children(&mut cursor).collect();
    let is_word = |child: &&Node<'_>| {
        !["variable_assignment", "file_redirect", "herestring_redirect", "heredoc_redirect"].contains(&child.kind())
    };
    let mut words: Vec<Word> = children.iter().filter(is_word).map(|child| word(*child, text)).collect();
    let statement = node.parent().filter(|parent| parent.kind() == "redirected_statement");
    let mut redirects: Vec<Redirect> = Vec::new();
    for holder in [Some(node), statement].into_iter().flatten() {
        let mut cursor = holder.walk();
        for found in holder.named_children(&mut cursor).filter(|child| child.kind() == "file_redirect") {
            let mut cursor = found.walk();
            let mut targets = found.children_by_field_name("destination", &mut cursor).map(|target| word(target, text));
            let target = targets.next();
            let end = target.as_ref().map_or(found.end_byte(), |target| target.span.end);
            redirects.push(Redirect { span: found.start_byte()..end, target });
            // To the grammar, words after a redirection are its own; to the shell, they are the command's.
            words.extend(targets);
        }
    }
    let mut rest = words.as_slice();
    let mut sudo = false;
    let base = |word: &Word| word.text.as_deref().map_or("", |text| text.rsplit('/').next().unwrap_or(text)).to_owned();
    while let Some(first) = rest.first().map(base).filter(|first| WRAPPERS.contains(&first.as_str())) {
        sudo |= first == "sudo";
        rest = &rest[1..];
        let mut takes_value = false;
        while let Some(option) = rest.first().and_then(|word| word.text.as_deref()) {
            // `sudo -u hadoop`, `nice -n 5`, `env PATH=...`
            if takes_value || option.starts_with('-') || (first == "env" && option.contains('=')) {
                takes_value =
                    !takes_value && ["-u", "-g", "-n"].contains(&option) && (first != "sudo" || option != "-n");
                rest = &rest[1..];
            } else {
                break;
            }
        }
    }
    let (name, args) = rest.split_first()?;
    let pipeline = node.parent().map_or(node, |parent| if parent.kind() == "pipeline" { parent } else { node });
    let into = (pipeline.id() != node.id()).then(|| node.next_named_sibling()).flatten();
    let into = into.filter(|next| next.kind() == "command").and_then(|next| command(next, text));
    Some(Command {
        span: node.byte_range(),
        at: name.span.clone(),
        program: base(name),
        args: args.to_vec(),
        redirects,
        sudo,
        into: into.map(|next| next.program),
    })
}

fn word(node: Node<'_>, text: &str) -> Word {
    Word { span: node.byte_range(), text: literal(node, text, 0) }
}

/// Deeper words than this hold something else than text.
const DEEPEST: u32 = 20;

/// What the shell makes of a word without expanding anything.
fn literal(node: Node<'_>, text: &str, depth: u32) -> Option<String> {
    let raw = text.get(node.byte_range())?;
    match node.kind() {
        "command_name" | "concatenation" if depth < DEEPEST => {
            let mut cursor = node.walk();
            let parts: Vec<Node<'_>> = node.named_children(&mut cursor).collect();
            parts.into_iter().map(|part| literal(part, text, depth + 1)).collect()
        }
        "string" => {
            let mut cursor = node.walk();
            let plain = node.named_children(&mut cursor).all(|part| part.kind() == "string_content");
            plain.then(|| raw.trim_matches('"').replace("\\\"", "\"").replace("\\$", "$"))
        }
        "raw_string" => Some(raw.trim_matches('\'').to_owned()),
        "word" | "number" | "variable_name" | "extglob_pattern" | "regex" | "test_operator" => {
            Some(raw.replace("\\\n", "").replace('\\', ""))
        }
        _ => None,
    }
}

impl Command {
    /// The texts of its arguments, those that are expanded left out.
    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        self.args.iter().filter_map(|arg| arg.text.as_deref())
    }

    /// Whether an argument is one of these.
    pub(super) fn says(&self, words: &[&str]) -> bool {
        self.texts().any(|text| words.contains(&text))
    }

    /// Whether it has a short option with this letter, alone or among others, as `-y` in `-qy`.
    pub(super) fn short(&self, letter: char) -> bool {
        self.texts().any(|text| text.starts_with('-') && !text.starts_with("--") && text[1..].contains(letter))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commands(text: &str) -> Vec<String> {
        let script = read(text).expect("is read");
        let shown = |word: &Word| word.text.clone().unwrap_or_else(|| "?".to_owned());
        script
            .commands
            .iter()
            .map(|c| {
                let args: Vec<String> = c.args.iter().map(shown).collect();
                let redirects: Vec<&str> = c.redirects.iter().map(|r| &text[r.span.clone()]).collect();
                let into = c.into.as_ref().map(|into| format!(" | {into}")).unwrap_or_default();
                let sudo = if c.sudo { "sudo " } else { "" };
                format!("{sudo}{} {}{}{into}", c.program, args.join(" "), redirects.join(" ")).trim_end().to_owned()
            })
            .collect()
    }

    #[test]
    fn commands_are_found_wherever_they_stand() {
        let text = r#"#!/bin/bash
sudo -E -u root /usr/bin/python3 -m pip install pandas<1.3.0 'numpy==1.26' "pil"low
if ! command -v x; then PATH=/bin env A=1 apt-get install "$X"; fi
curl -s https://a.example/x.sh | sudo bash
for p in a b; do pip3 install \
    "$p"; done
"${PIP[@]}" install x > log
cat <<EOF > /tmp/x
pip install whell
EOF
"#;
        insta::assert_snapshot!(commands(text).join("\n"), @r"
        sudo python3 -m pip install pandas numpy==1.26 pillow<1.3.0
        command -v x
        apt-get install ?
        curl -s https://a.example/x.sh | bash
        sudo bash
        pip3 install ?
         install x> log
        cat
        ");
    }

    #[test]
    fn what_no_shell_reads_is_pointed_at() {
        assert!(read("echo ok\nif true; then\n").expect("is read").unread.is_some());
        assert!(read("echo ok # (\n").expect("is read").unread.is_none());
        let deep = "$(".repeat(20_000);
        read(&deep);
        read(&"(".repeat(200_000));
    }
}
