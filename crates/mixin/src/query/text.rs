//! The text of a query: its shape on the page.

/// Every line of a text, moved to the right.
pub fn indented(text: &str, by: usize) -> String {
    let pad = " ".repeat(by);
    let lines: Vec<String> = text
        .trim_end()
        .lines()
        .map(|line| if line.trim().is_empty() { String::new() } else { format!("{pad}{line}") })
        .collect();
    lines.join("\n")
}
