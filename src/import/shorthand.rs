//! The shorthand of the AWS CLI: `Name=a,EbsConfiguration={EbsBlockDeviceConfigs=[{VolumesPerInstance=2}]},Args=[b,c]`.
//! Every value stays a text.

use std::ops::Range;

use super::notes::Wrong;
use super::tree;
use crate::stack::node::{Key, Node, Value};

const DEPTH: usize = 16;

/// Reads one word as a mapping. All of it stands where `span` is.
pub(super) fn parse(word: &str, span: &Range<usize>) -> Result<Node, Wrong> {
    let mut parser = Parser { rest: word, span, word };
    let entries = parser.entries(None, 0)?;
    Ok(Node { span: span.clone(), value: Value::Map(entries) })
}

struct Parser<'a> {
    rest: &'a str,
    word: &'a str,
    span: &'a Range<usize>,
}

impl<'a> Parser<'a> {
    fn wrong(&self, what: &str) -> Wrong {
        let read = &self.word[..self.word.len() - self.rest.len()];
        let read: String = read.chars().rev().take(40).collect::<Vec<_>>().into_iter().rev().collect();
        let message = format!("{what} after `{}`", tree::shown(&read));
        Wrong::new(self.span.clone(), message, "write Name=value,Name=value, lists as [a,b], or JSON in single quotes")
    }

    /// `a=b,c=d`, up to the end or to a closing brace.
    fn entries(&mut self, end: Option<char>, depth: usize) -> Result<Vec<(Key, Node)>, Wrong> {
        let mut entries: Vec<(Key, Node)> = Vec::new();
        if depth > DEPTH {
            return Err(self.wrong("nested too deep"));
        }
        loop {
            self.rest = self.rest.trim_start();
            let length = self.rest.find(['=', ',', ']', '}', '[', '{']).unwrap_or(self.rest.len());
            let (name, rest) = self.rest.split_at(length);
            let Some(rest) = rest.strip_prefix('=').filter(|_| !name.trim().is_empty()) else {
                return Err(self.wrong("a name and `=` are expected"));
            };
            self.rest = rest;
            let value = self.value(end, depth)?;
            entries.push((tree::key(name.trim(), self.span), value));
            match self.rest.chars().next() {
                Some(',') => self.rest = &self.rest[1..],
                next if next == end => {
                    self.rest = &self.rest[end.map_or(0, char::len_utf8)..];
                    return Ok(entries);
                }
                _ => return Err(self.wrong("a comma is expected")),
            }
        }
    }

    fn value(&mut self, end: Option<char>, depth: usize) -> Result<Node, Wrong> {
        if let Some(rest) = self.rest.strip_prefix('[') {
            self.rest = rest;
            return self.list(depth + 1);
        }
        if let Some(rest) = self.rest.strip_prefix('{') {
            self.rest = rest;
            let entries = self.entries(Some('}'), depth + 1)?;
            return Ok(tree::map(entries, self.span));
        }
        // A comma that no name follows belongs to the value: `Args=a,b` is a list of two.
        let first = self.scalar(end)?;
        let mut items = vec![first];
        while let Some(rest) = self.rest.strip_prefix(',') {
            let next = rest.find(['=', ',', ']', '}', '[', '{']).map(|at| &rest[at..=at]);
            if next == Some("=") {
                break;
            }
            self.rest = rest;
            items.push(self.scalar(end)?);
        }
        Ok(if items.len() == 1 { items.remove(0) } else { tree::list(items, self.span) })
    }

    fn list(&mut self, depth: usize) -> Result<Node, Wrong> {
        if depth > DEPTH {
            return Err(self.wrong("nested too deep"));
        }
        let mut items = Vec::new();
        loop {
            self.rest = self.rest.trim_start();
            if let Some(rest) = self.rest.strip_prefix(']') {
                self.rest = rest;
                return Ok(tree::list(items, self.span));
            }
            items.push(match self.rest.chars().next() {
                Some('{') => {
                    self.rest = &self.rest[1..];
                    let entries = self.entries(Some('}'), depth + 1)?;
                    tree::map(entries, self.span)
                }
                Some('[') => {
                    self.rest = &self.rest[1..];
                    self.list(depth + 1)?
                }
                _ => self.scalar(Some(']'))?,
            });
            match self.rest.chars().next() {
                Some(',') => self.rest = &self.rest[1..],
                Some(']') => {}
                _ => return Err(self.wrong("a comma or `]` is expected")),
            }
        }
    }

    /// Up to a comma or the end of what it is in; what is in quotes is taken whole.
    fn scalar(&mut self, end: Option<char>) -> Result<Node, Wrong> {
        let quote = self.rest.chars().next().filter(|c| ['"', '\''].contains(c));
        if let Some(quote) = quote {
            let rest = &self.rest[1..];
            let Some(length) = rest.find(quote) else { return Err(self.wrong("a quote is never closed")) };
            self.rest = &rest[length + 1..];
            return Ok(tree::text(&rest[..length], self.span));
        }
        let ends = |c: char| c == ',' || Some(c) == end;
        let length = self.rest.find(ends).unwrap_or(self.rest.len());
        let (text, rest): (&'a str, &'a str) = self.rest.split_at(length);
        self.rest = rest;
        Ok(tree::text(text.trim(), self.span))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::notes::brief;

    #[test]
    fn shorthand_is_read_as_the_cli_reads_it() {
        for (word, told) in [
            ("Name=Spark", "{Name: Spark}"),
            ("InstanceGroupType=CORE,InstanceCount=2", "{InstanceGroupType: CORE, InstanceCount: 2}"),
            ("Path=s3://b/x.sh,Args=[a,b c,\"d,e\"],Name=n", "{Path: s3://b/x.sh, Args: [a, b c, d,e], Name: n}"),
            ("Path=s3://b/x.sh,Args=a,b", "{Path: s3://b/x.sh, Args: [a, b]}"),
            (
                "E={D=[{V={T=gp2,S=32},N=2},{V={T=gp3}}],O=true}",
                "{E: {D: [{V: {T: gp2, S: 32}, N: 2}, {V: {T: gp3}}], O: true}}",
            ),
            ("A=[]", "{A: []}"),
        ] {
            assert_eq!(brief(&parse(word, &(0..0)).expect(word)), told);
        }
        for wrong in ["Spark", "A=[", "A={B=1", "A=\"b", "=x", "A=[a,b]c", &format!("A={}", "[".repeat(100_000))] {
            parse(wrong, &(0..0)).expect_err(&wrong[..wrong.len().min(20)]);
        }
    }
}
