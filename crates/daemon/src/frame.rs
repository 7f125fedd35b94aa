//! The frame that all HTML pages share: head, style for light and dark, header, navigation, footer. A page needs nothing
//! from elsewhere, and all text is escaped.

use std::fmt::{self, Write as _};

use crate::program::Program;

const STYLE: &str = include_str!("frame/style.css");
const MARK: &str = include_str!("frame/mark.svg");
const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 64 64'%3E%3Cg fill='none' \
                    stroke='%23b1432b' stroke-width='5' stroke-linecap='round'%3E%3Cpath d='M6 26c9-2 17-7 26-16 9 9 17 14 \
                    26 16M16 27v11h32V27M20 38l-5 22M44 38l5 22M18 50h28'/%3E%3C/g%3E%3C/svg%3E";

/// The `Content-Security-Policy` of HTML pages.
pub(crate) const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A link to more documentation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The text of the link.
    pub text: String,
    /// `https://…` or a path.
    pub target: String,
}

/// The program and the page that a frame is for.
#[derive(Debug)]
pub(crate) struct Frame<'a> {
    /// The program's name.
    pub(crate) name: &'a str,
    /// Its version.
    pub(crate) version: &'a str,
    /// One line under the name.
    pub(crate) tagline: &'a str,
    /// The page's title; `None` for the first page.
    pub(crate) page: Option<&'a str>,
    /// Links to more documentation.
    pub(crate) links: &'a [Link],
}

impl<'a> Frame<'a> {
    /// A page of the program's.
    pub(crate) fn of(program: &'a Program, page: &'a str) -> Self {
        Self { name: program.name, version: program.version, tagline: program.about, page: Some(page), links: &[] }
    }

    /// The whole page; `main` appends what stands in the frame.
    pub(crate) fn page(&self, main: impl FnOnce(&mut String)) -> String {
        let mut page = String::with_capacity(16 << 10);
        self.begin(&mut page);
        page.push_str("<main>\n");
        main(&mut page);
        page.push_str("</main>\n");
        self.end(&mut page);
        page
    }

    fn begin(&self, page: &mut String) {
        let (name, version, tagline) = (escape(self.name), escape(self.version), escape(self.tagline));
        let title = self.page.map_or_else(|| name.clone(), |title| format!("{} · {name}", escape(title)));
        page.push_str("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">");
        page.push_str("<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">");
        put(page, format_args!("<title>{title}</title><meta name=\"description\" content=\"{tagline}\">"));
        put(page, format_args!("<link rel=\"icon\" href=\"{ICON}\"><style>{STYLE}</style></head><body>\n"));
        put(page, format_args!("<header><div class=\"brand\">{MARK}<div><h1>{name}"));
        put(page, format_args!("<span class=\"version\">{version}</span></h1><p class=\"tagline\">{tagline}</p>"));
        page.push_str("</div></div>\n<nav aria-label=\"Pages\">");
        match self.page {
            None => page.push_str("<span aria-current=\"page\">Overview</span>"),
            Some(title) => {
                page.push_str("<a href=\"/\">Overview</a>");
                put(page, format_args!("<span aria-current=\"page\">{}</span>", escape(title)));
            }
        }
        page.push_str("</nav></header>\n");
    }

    fn end(&self, page: &mut String) {
        put(page, format_args!("<footer><span>{} {}</span>", escape(self.name), escape(self.version)));
        for link in self.links {
            put(page, format_args!("<a href=\"{}\">{}</a>", target(&link.target), escape(&link.text)));
        }
        page.push_str("</footer>\n</body></html>\n");
    }
}

/// The page of an error: its title (`404 Not Found`) and what is wrong.
pub(crate) fn error_page(program: &Program, title: &str, text: &str) -> String {
    Frame::of(program, title).page(|page| {
        put(page, format_args!("<h2>{}</h2>\n<p class=\"tagline\">{}</p>\n", escape(title), escape(text)));
    })
}

/// Appends formatted text.
pub(crate) fn put(page: &mut String, what: fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = page.write_fmt(what);
}

/// A link's target; what is neither a path nor HTTP leads nowhere.
pub(crate) fn target(link: &str) -> String {
    let safe = link.starts_with("https://") || link.starts_with("http://") || link.starts_with('/');
    if safe && !link.starts_with("//") { escape(link) } else { "#".to_owned() }
}

/// The text with what HTML would read replaced.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_escaped_and_leads_back() {
        const EVIL: &str = "<i>\"&";
        const PROGRAM: Program = Program { name: EVIL, prefix: "lab", about: EVIL, version: EVIL, revision: None };
        let page = error_page(&PROGRAM, EVIL, EVIL);
        assert!(!page.contains("<i>") && page.contains("<a href=\"/\">"), "{page}");
        assert!(page.ends_with("</footer>\n</body></html>\n"), "{page}");
    }
}
