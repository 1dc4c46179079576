//! What a diagram shows: boxes in columns, and what leads from one to another. Plain values; it knows neither stacks nor
//! how anything is drawn.

/// A stack as boxes.
#[derive(Debug, Default)]
pub(super) struct Picture {
    pub(super) title: String,
    /// One or two sentences for who cannot see it.
    pub(super) says: String,
    /// Where everything but the first column is.
    pub(super) region: String,
    /// The first is outside the region, and may be empty.
    pub(super) columns: Vec<Vec<Section>>,
    pub(super) links: Vec<Link>,
}

/// Boxes of one sort, one below another.
#[derive(Debug, Default)]
pub(super) struct Section {
    pub(super) heading: String,
    pub(super) cards: Vec<Card>,
}

/// One thing.
#[derive(Debug)]
pub(super) struct Card {
    /// By which links name it: `bucket/data`.
    pub(super) id: String,
    pub(super) title: String,
    /// Its name in AWS, or what it is.
    pub(super) name: String,
    pub(super) rows: Vec<Row>,
    pub(super) fate: Fate,
}

/// A line within a box.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) text: String,
    /// Opens a group of lines.
    pub(super) opens: bool,
}

impl Row {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), opens: false }
    }

    pub(super) fn opening(text: impl Into<String>) -> Self {
        Self { text: text.into(), opens: true }
    }
}

/// What becomes of it on `down`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Stays,
    Goes,
    /// Somebody else's: never changed.
    Theirs,
    /// Nothing in AWS: work, or a folder of this machine.
    Ours,
}

impl Fate {
    pub(super) const ALL: [Self; 4] = [Self::Stays, Self::Goes, Self::Theirs, Self::Ours];

    pub(super) const fn class(self) -> &'static str {
        match self {
            Self::Stays => "stays",
            Self::Goes => "goes",
            Self::Theirs => "theirs",
            Self::Ours => "ours",
        }
    }

    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Stays => "stays on down",
            Self::Goes => "goes on down",
            Self::Theirs => "somebody else's",
            Self::Ours => "work and folders",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    Reads,
    Writes,
    Acts,
}

impl Sort {
    pub(super) const ALL: [Self; 3] = [Self::Reads, Self::Writes, Self::Acts];

    pub(super) const fn class(self) -> &'static str {
        match self {
            Self::Reads => "reads",
            Self::Writes => "writes",
            Self::Acts => "acts",
        }
    }

    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Reads => "is read by",
            Self::Writes => "writes",
            Self::Acts => "runs on, acts for, ends",
        }
    }
}

/// An end of a link: a box, or one of its rows by its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct End {
    pub(super) card: String,
    pub(super) row: Option<String>,
}

impl End {
    pub(super) fn card(card: impl Into<String>) -> Self {
        Self { card: card.into(), row: None }
    }

    pub(super) fn row(card: impl Into<String>, row: impl Into<String>) -> Self {
        Self { card: card.into(), row: Some(row.into()) }
    }
}

/// What goes from one to the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) from: End,
    pub(super) to: End,
    pub(super) sort: Sort,
    pub(super) says: String,
}
