//! Pages of one table, for people.

use crate::{
    frame::{Frame, escape, put, target},
    program::Program,
};

/// A table for people, a page of its own.
#[derive(Clone, Debug, Default)]
pub struct Sheet {
    /// Its title.
    pub title: String,
    /// A note beside the title: the number of rows, for example.
    pub note: String,
    /// An explanation above the table.
    pub about: String,
    /// Heads of columns.
    pub columns: &'static [&'static str],
    /// Rows of cells of lines. The first cell's first line names the row.
    pub rows: Vec<Vec<Vec<Line>>>,
    /// The text in place of the table when there are no rows.
    pub empty: String,
}

/// A line of a cell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// What stands there.
    pub text: String,
    /// The address that it leads to.
    pub link: Option<String>,
}

impl From<String> for Line {
    fn from(text: String) -> Self {
        Self { text, link: None }
    }
}

/// The page of a table: HTML that needs nothing else. All text is escaped.
pub fn sheet_page(program: &Program, sheet: &Sheet) -> String {
    Frame::of(program, &sheet.title).page(|page| {
        put(page, format_args!("<h2>{}<small>{}</small></h2>\n", escape(&sheet.title), escape(&sheet.note)));
        put(page, format_args!("<p class=\"tagline\">{}</p>\n", escape(&sheet.about)));
        if sheet.rows.is_empty() {
            put(page, format_args!("<p>{}</p>\n", escape(&sheet.empty)));
        } else {
            page.push_str("<div class=\"sheet wide\"><table><thead><tr>");
            for column in sheet.columns {
                put(page, format_args!("<th scope=\"col\">{}</th>", escape(column)));
            }
            page.push_str("</tr></thead><tbody>\n");
            for row in &sheet.rows {
                page.push_str("<tr>");
                for (i, lines) in row.iter().enumerate() {
                    let (open, close) = if i == 0 { ("<th scope=\"row\">", "</th>") } else { ("<td>", "</td>") };
                    page.push_str(open);
                    for (n, line) in lines.iter().enumerate() {
                        let class = if i == 0 && n > 0 { " class=\"why\"" } else { "" };
                        let text = escape(&line.text);
                        match &line.link {
                            None => put(page, format_args!("<div{class}>{text}</div>")),
                            Some(link) => {
                                put(page, format_args!("<div{class}><a href=\"{}\">{text}</a></div>", target(link)));
                            }
                        }
                    }
                    page.push_str(close);
                }
                page.push_str("</tr>\n");
            }
            page.push_str("</tbody></table></div>\n");
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_escaped_and_says_so_when_it_is_empty() {
        const EVIL: &str = "<i>\"&";
        const PROGRAM: Program = Program { name: EVIL, prefix: "lab", about: EVIL, version: EVIL, revision: None };
        let text = || EVIL.to_owned();
        let mut sheet = Sheet { title: text(), note: text(), about: text(), columns: &[EVIL, "b"], ..Sheet::default() };
        sheet.empty = text();
        let empty = sheet_page(&PROGRAM, &sheet);
        let line = || Line::from(text());
        let leads = |link: &str| Line { text: text(), link: Some(link.to_owned()) };
        sheet.rows =
            vec![vec![vec![line(), line()], vec![leads("https://g/d?a=1&b=\""), leads("javascript:alert(1)")]]];
        let full = sheet_page(&PROGRAM, &sheet);
        assert!(full.contains("<a href=\"https://g/d?a=1&amp;b=&quot;\">&lt;i&gt;"), "{full}");
        assert!(!full.contains("javascript:"), "{full}");
        for page in [&empty, &full] {
            assert!(!page.contains("<i>"), "{page}");
        }
        assert!(!empty.contains("<table") && full.contains("<th scope=\"row\"><div>&lt;i&gt;"), "{full}");
    }
}
