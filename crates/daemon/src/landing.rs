//! The landing page: endpoints, enabled features, and why the others are off.

use crate::{
    frame::{Frame, Link, escape, put, target},
    program::Program,
};

/// The contents of the landing page.
#[derive(Clone, Debug, Default)]
pub struct Landing {
    /// The product's name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// One line under the name.
    pub tagline: String,
    /// Paths that can be fetched. When empty, the server fills in those that it serves.
    pub endpoints: Vec<Endpoint>,
    /// Pages of other servers: the path is a whole address.
    pub elsewhere: Vec<Endpoint>,
    /// Features that are on or off, with reasons.
    pub features: Vec<Feature>,
    /// Links to more documentation.
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
    /// Its purpose, in one line.
    pub about: String,
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

    /// Adds a page of another server, if it is known where that is.
    #[must_use]
    pub fn elsewhere(mut self, address: Option<String>, title: &str, description: &str) -> Self {
        self.elsewhere.extend(address.map(|address| Endpoint::new(&address, title, description)));
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

/// The page: HTML that needs nothing else. All text is escaped.
pub fn landing_page(landing: &Landing) -> String {
    let frame = Frame {
        name: &landing.name,
        version: &landing.version,
        tagline: &landing.tagline,
        page: None,
        links: &landing.links,
    };
    frame.page(|page| {
        facts(page, &landing.facts);
        cards(page, "Dashboards and alerts", &landing.elsewhere);
        cards(page, "Endpoints", &landing.endpoints);
        features(page, &landing.features);
    })
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

fn cards(page: &mut String, heading: &str, endpoints: &[Endpoint]) {
    if endpoints.is_empty() {
        return;
    }
    put(page, format_args!("<h2>{}</h2><ul class=\"cards\">\n", escape(heading)));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_escaped() {
        let evil = "<script>alert('x')</script>\"&";
        let mut landing = Landing::default().fact(evil, evil).link(evil, evil).link("l", "javascript:alert(1)");
        landing = landing.link("m", "//evil.example").feature(evil, false, Some(evil.to_owned()), evil);
        landing.endpoints.push(Endpoint::new(evil, evil, evil));
        landing = landing.elsewhere(Some("ftp://f.example".to_owned()), evil, evil).elsewhere(None, "unseen", "");
        (landing.name, landing.version, landing.tagline) = (evil.to_owned(), evil.to_owned(), evil.to_owned());
        let page = landing_page(&landing);
        assert!(!page.contains("<script") && !page.contains("alert('x')"), "{page}");
        assert!(!page.contains("javascript:") && !page.contains("//evil.example"), "{page}");
        assert!(!page.contains("unseen") && !page.contains("href=\"ftp:"), "{page}");
        assert_eq!(page.matches("&lt;script&gt;").count(), 18);
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
