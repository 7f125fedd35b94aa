//! The landing page: what the program serves, what is on, and why the rest is off.

use std::fmt::{self, Write as _};

use crate::program::Program;

const STYLE: &str = include_str!("landing/style.css");
const MARK: &str = include_str!("landing/mark.svg");
const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 64 64'%3E%3Cg fill='none' \
                    stroke='%23b1432b' stroke-width='5' stroke-linecap='round'%3E%3Cpath d='M6 26c9-2 17-7 26-16 9 9 17 14 \
                    26 16M16 27v11h32V27M20 38l-5 22M44 38l5 22M18 50h28'/%3E%3C/g%3E%3C/svg%3E";

pub(crate) const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What the landing page shows.
#[derive(Clone, Debug, Default)]
pub struct Landing {
    /// The product's name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// One line under the name.
    pub tagline: String,
    /// What can be fetched. When empty, the server fills in what it serves.
    pub endpoints: Vec<Endpoint>,
    /// What is on, and what is off for which reason.
    pub features: Vec<Feature>,
    /// Where to read on.
    pub links: Vec<Link>,
    /// About this machine and process.
    pub facts: Vec<Fact>,
}

/// Something that can be fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// `/metrics`
    pub path: String,
    /// A word or two.
    pub title: String,
    /// One line.
    pub description: String,
}

/// Something that can be on or off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feature {
    /// As its flag calls it.
    pub name: String,
    /// On, or off.
    pub enabled: bool,
    /// Why it is off, or on with less than all.
    pub reason: Option<String>,
    /// What it gives, in one line.
    pub about: String,
}

/// Where to read on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// What one reads.
    pub text: String,
    /// `https://…` or a path.
    pub target: String,
}

/// A name and a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// `Kernel`
    pub name: String,
    /// `6.12.8`
    pub value: String,
}

impl Landing {
    /// Name, version and tagline of the program; nothing else yet.
    pub fn of(program: &Program) -> Self {
        Self {
            name: program.name.to_owned(),
            version: program.version.to_owned(),
            tagline: program.about.to_owned(),
            ..Self::default()
        }
    }

    /// Adds a fact.
    #[must_use]
    pub fn fact(mut self, name: &str, value: impl Into<String>) -> Self {
        self.facts.push(Fact { name: name.to_owned(), value: value.into() });
        self
    }

    /// Adds a link.
    #[must_use]
    pub fn link(mut self, text: &str, target: &str) -> Self {
        self.links.push(Link { text: text.to_owned(), target: target.to_owned() });
        self
    }

    /// Adds a feature.
    #[must_use]
    pub fn feature(mut self, name: &str, enabled: bool, reason: Option<String>, about: &str) -> Self {
        self.features.push(Feature { name: name.to_owned(), enabled, reason, about: about.to_owned() });
        self
    }
}

impl Endpoint {
    /// Path, title and description.
    pub fn new(path: &str, title: &str, description: &str) -> Self {
        Self { path: path.to_owned(), title: title.to_owned(), description: description.to_owned() }
    }
}

/// A table for people, a page of its own.
#[derive(Clone, Debug, Default)]
pub struct Sheet {
    /// What it lists.
    pub title: String,
    /// How many, or the like.
    pub note: String,
    /// What one should know to read it.
    pub about: String,
    /// Heads of columns.
    pub columns: &'static [&'static str],
    /// Rows of cells of lines. The first cell's first line names the row.
    pub rows: Vec<Vec<Vec<String>>>,
    /// What is said instead when there are no rows.
    pub empty: String,
}

/// The page of a table: HTML that needs nothing else. All text is escaped.
pub fn sheet_page(program: &Program, sheet: &Sheet) -> String {
    let mut page = String::with_capacity(16 << 10);
    begin(&mut page, &Landing::of(program));
    page.push_str("</header>\n<main>\n");
    put(&mut page, format_args!("<h2>{}<small>{}</small></h2>\n", escape(&sheet.title), escape(&sheet.note)));
    put(&mut page, format_args!("<p class=\"tagline\">{}</p>\n", escape(&sheet.about)));
    if sheet.rows.is_empty() {
        put(&mut page, format_args!("<p>{}</p>\n", escape(&sheet.empty)));
    } else {
        page.push_str("<div class=\"sheet wide\"><table><thead><tr>");
        for column in sheet.columns {
            put(&mut page, format_args!("<th scope=\"col\">{}</th>", escape(column)));
        }
        page.push_str("</tr></thead><tbody>\n");
        for row in &sheet.rows {
            page.push_str("<tr>");
            for (i, lines) in row.iter().enumerate() {
                let (open, close) = if i == 0 { ("<th scope=\"row\">", "</th>") } else { ("<td>", "</td>") };
                page.push_str(open);
                for (n, line) in lines.iter().enumerate() {
                    let class = if i == 0 && n > 0 { " class=\"why\"" } else { "" };
                    put(&mut page, format_args!("<div{class}>{}</div>", escape(line)));
                }
                page.push_str(close);
            }
            page.push_str("</tr>\n");
        }
        page.push_str("</tbody></table></div>\n");
    }
    page.push_str("</main>\n<footer><a href=\"/\">All pages</a></footer>\n</body></html>\n");
    page
}

/// The page: HTML that needs nothing else. All text is escaped.
pub fn landing_page(landing: &Landing) -> String {
    let mut page = String::with_capacity(16 << 10);
    begin(&mut page, landing);
    facts(&mut page, &landing.facts);
    page.push_str("</header>\n<main>\n");
    endpoints(&mut page, &landing.endpoints);
    features(&mut page, &landing.features);
    page.push_str("</main>\n<footer>");
    for link in &landing.links {
        put(&mut page, format_args!("<a href=\"{}\">{}</a>", target(&link.target), escape(&link.text)));
    }
    page.push_str("</footer>\n</body></html>\n");
    page
}

/// Head and masthead; the header is left open.
fn begin(page: &mut String, landing: &Landing) {
    let (name, version, tagline) = (escape(&landing.name), escape(&landing.version), escape(&landing.tagline));
    page.push_str("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">");
    page.push_str("<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">");
    put(page, format_args!("<title>{name}</title><meta name=\"description\" content=\"{tagline}\">"));
    put(page, format_args!("<link rel=\"icon\" href=\"{ICON}\"><style>{STYLE}</style></head><body>\n"));
    put(page, format_args!("<header><div class=\"brand\">{MARK}<div><h1>{name}"));
    put(page, format_args!("<span class=\"version\">{version}</span></h1><p class=\"tagline\">{tagline}</p>"));
    page.push_str("</div></div>\n");
}

fn facts(page: &mut String, facts: &[Fact]) {
    if facts.is_empty() {
        return;
    }
    page.push_str("<dl>");
    for fact in facts {
        put(page, format_args!("<div><dt>{}</dt><dd>{}</dd></div>", escape(&fact.name), escape(&fact.value)));
    }
    page.push_str("</dl>\n");
}

fn endpoints(page: &mut String, endpoints: &[Endpoint]) {
    if endpoints.is_empty() {
        return;
    }
    page.push_str("<h2>Endpoints</h2><ul class=\"cards\">\n");
    for endpoint in endpoints {
        let (path, title) = (escape(&endpoint.path), escape(&endpoint.title));
        put(page, format_args!("<li><a class=\"card\" href=\"{}\"><b>{title}</b>", target(&endpoint.path)));
        let description = escape(&endpoint.description);
        put(page, format_args!("<span class=\"path\">{path}</span><span>{description}</span></a></li>\n"));
    }
    page.push_str("</ul>\n");
}

fn features(page: &mut String, features: &[Feature]) {
    if features.is_empty() {
        return;
    }
    let on = features.iter().filter(|feature| feature.enabled).count();
    put(page, format_args!("<h2>Features<small>{on} of {} on</small></h2>\n", features.len()));
    page.push_str("<div class=\"sheet\"><table><thead><tr><th scope=\"col\">Name</th><th scope=\"col\">State</th>");
    page.push_str("<th scope=\"col\">What it gives</th></tr></thead><tbody>\n");
    for feature in features {
        let badge =
            if feature.enabled { "<span class=\"badge on\">on</span>" } else { "<span class=\"badge\">off</span>" };
        put(page, format_args!("<tr><th scope=\"row\">{}</th><td class=\"state\">{badge}</td>", escape(&feature.name)));
        put(page, format_args!("<td>{}", escape(&feature.about)));
        if let Some(reason) = &feature.reason {
            put(page, format_args!("<span class=\"why\">{}</span>", escape(reason)));
        }
        page.push_str("</td></tr>\n");
    }
    page.push_str("</tbody></table></div>\n");
}

fn put(page: &mut String, what: fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = page.write_fmt(what);
}

/// A link's target; what is neither a path nor HTTP leads nowhere.
fn target(link: &str) -> String {
    let safe = link.starts_with("https://") || link.starts_with("http://") || link.starts_with('/');
    if safe && !link.starts_with("//") { escape(link) } else { "#".to_owned() }
}

fn escape(text: &str) -> String {
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
    fn everything_is_escaped() {
        let evil = "<script>alert('x')</script>\"&";
        let mut landing = Landing::default().fact(evil, evil).link(evil, evil).link("l", "javascript:alert(1)");
        landing = landing.link("m", "//evil.example").feature(evil, false, Some(evil.to_owned()), evil);
        landing.endpoints.push(Endpoint::new(evil, evil, evil));
        (landing.name, landing.version, landing.tagline) = (evil.to_owned(), evil.to_owned(), evil.to_owned());
        let page = landing_page(&landing);
        assert!(!page.contains("<script") && !page.contains("alert('x')"), "{page}");
        assert!(!page.contains("javascript:") && !page.contains("//evil.example"), "{page}");
        assert_eq!(page.matches("&lt;script&gt;").count(), 14);
    }

    #[test]
    fn a_table_is_escaped_and_says_so_when_it_is_empty() {
        const EVIL: &str = "<i>\"&";
        const PROGRAM: Program = Program { name: EVIL, prefix: "lab", about: EVIL, version: EVIL, revision: None };
        let text = || EVIL.to_owned();
        let mut sheet = Sheet { title: text(), note: text(), about: text(), columns: &[EVIL, "b"], ..Sheet::default() };
        sheet.empty = text();
        let empty = sheet_page(&PROGRAM, &sheet);
        sheet.rows = vec![vec![vec![text(), text()], vec![text()]]];
        let full = sheet_page(&PROGRAM, &sheet);
        for page in [&empty, &full] {
            assert!(!page.contains("<i>"), "{page}");
        }
        assert!(!empty.contains("<table") && full.contains("<th scope=\"row\"><div>&lt;i&gt;"), "{full}");
    }

    #[test]
    fn the_page_needs_nothing_from_elsewhere() {
        let page = landing_page(&Landing::default());
        for outside in ["http://", "https://", "src=", "@import", "<script"] {
            let page = page.replace("http://www.w3.org/2000/svg", "").replace("http%3A//www.w3.org/2000/svg", "");
            assert!(!page.contains(outside), "{outside}");
        }
    }
}
