//! Tables without frames: columns that a person's eye and `cut` can follow.

use comfy_table::{ContentArrangement, Table, presets};

/// Rows under headers, as wide as they need to be.
pub fn table(headers: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    if !headers.is_empty() {
        table.set_header(headers.iter().copied());
    }
    for row in rows {
        table.add_row(row);
    }
    let text = table.to_string();
    text.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}
