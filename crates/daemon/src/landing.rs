//! The landing page.
use crate::program::Program;

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

/// The page: HTML that needs nothing else.
pub fn landing_page(landing: &Landing) -> String {
    landing.name.clone()
}
