//! Paths in text that is not parsed: what macros are made of and called with.

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};

use crate::source::modules::{Route, plain};

/// A path, and whether `::*` ends it.
#[derive(Debug, PartialEq)]
pub(super) struct TextPath {
    pub(super) route: Route,
    pub(super) is_glob: bool,
}

/// Every path in it, single names too; what follows a dot, a quotation mark of a lifetime, or `$` is none, but `$crate` is
/// `crate`.
pub(super) fn paths(tokens: TokenStream) -> Vec<TextPath> {
    let mut found = Vec::new();
    scan(&trees(tokens), &mut found);
    found
}

/// Paths of two words or more in string literals.
pub(super) fn quoted_paths(tokens: TokenStream) -> Vec<Route> {
    let literals = trees(tokens).into_iter().filter_map(|tree| match tree {
        TokenTree::Literal(literal) => syn::parse_str::<syn::LitStr>(&literal.to_string()).ok(),
        _ => None,
    });
    let parsed = literals.filter_map(|text| syn::parse_str::<syn::Path>(&text.value()).ok());
    let long = parsed.filter(|path| path.segments.len() > 1);
    long.map(|path| Route {
        is_global: path.leading_colon.is_some(),
        segments: path.segments.iter().map(|segment| plain(&segment.ident)).collect(),
    })
    .collect()
}

fn trees(tokens: TokenStream) -> Vec<TokenTree> {
    tokens.into_iter().collect()
}

fn scan(trees: &[TokenTree], found: &mut Vec<TextPath>) {
    let mut at = 0;
    while let Some(tree) = trees.get(at) {
        let before = at.checked_sub(1).and_then(|before| trees.get(before));
        match tree {
            TokenTree::Ident(_) if is_colons(trees, at.wrapping_sub(2)) && !starts_global(trees, at) => at += 1,
            TokenTree::Ident(ident) if may_start(before, trees, at, &plain(ident)) => {
                at = path(trees, at, &mut Vec::new(), starts_global(trees, at), found);
            }
            TokenTree::Group(group) => {
                scan(&self::trees(group.stream()), found);
                at += 1;
            }
            _ => at += 1,
        }
    }
}

/// Whether a path starts at this identifier, after that token.
fn may_start(before: Option<&TokenTree>, trees: &[TokenTree], at: usize, name: &str) -> bool {
    match before {
        Some(TokenTree::Punct(punct)) if punct.as_char() == '$' => name == "crate",
        Some(TokenTree::Punct(punct)) if punct.as_char() == '\'' => false,
        Some(TokenTree::Punct(punct)) if punct.as_char() == '.' => {
            // After `..` stands a name, after `.` a field or a method.
            let second = at.checked_sub(2).and_then(|at| trees.get(at));
            matches!(second, Some(TokenTree::Punct(punct)) if punct.as_char() == '.' )
        }
        _ => true,
    }
}

/// Whether `::` stands before this place with nothing before it that it could belong to.
fn starts_global(trees: &[TokenTree], at: usize) -> bool {
    let Some(colons) = at.checked_sub(2).filter(|colons| is_colons(trees, *colons)) else { return false };
    let owner = colons.checked_sub(1).and_then(|owner| trees.get(owner));
    !matches!(owner, Some(TokenTree::Ident(_)))
        && !matches!(owner, Some(TokenTree::Punct(punct)) if punct.as_char() == '>')
}

fn is_colons(trees: &[TokenTree], at: usize) -> bool {
    let is = |at: usize, spacing: Option<Spacing>| {
        matches!(trees.get(at), Some(TokenTree::Punct(punct))
            if punct.as_char() == ':' && spacing.is_none_or(|spacing| punct.spacing() == spacing))
    };
    is(at, Some(Spacing::Joint)) && is(at.wrapping_add(1), None)
}

/// Reads a path that starts here, below what stands before it; gives the place behind it.
fn path(
    trees: &[TokenTree],
    mut at: usize,
    before: &mut Vec<String>,
    is_global: bool,
    found: &mut Vec<TextPath>,
) -> usize {
    let outer = before.len();
    let mut is_glob = false;
    while let Some(TokenTree::Ident(ident)) = trees.get(at) {
        before.push(plain(ident));
        at += 1;
        if !is_colons(trees, at) {
            break;
        }
        match trees.get(at + 2) {
            Some(TokenTree::Ident(_)) => at += 2,
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                let inside = self::trees(group.stream());
                let mut part = 0;
                while part < inside.len() {
                    part = match inside.get(part) {
                        Some(TokenTree::Ident(_)) => behind(&inside, path(&inside, part, before, is_global, found)),
                        _ => part + 1,
                    };
                }
                before.truncate(outer);
                return at + 3;
            }
            Some(TokenTree::Punct(punct)) if punct.as_char() == '*' => {
                is_glob = true;
                at += 3;
                break;
            }
            _ => break,
        }
    }
    let segments: Vec<String> = before.clone();
    before.truncate(outer);
    let segments = if outer > 0 && segments.last().is_some_and(|last| last == "self") {
        segments.get(..segments.len() - 1).unwrap_or_default().to_vec()
    } else {
        segments
    };
    found.push(TextPath { route: Route { is_global, segments }, is_glob });
    at
}

/// The place behind the next comma: after a path in braces only ` as name` can stand.
fn behind(trees: &[TokenTree], at: usize) -> usize {
    let comma = |tree: &TokenTree| matches!(tree, TokenTree::Punct(punct) if punct.as_char() == ',');
    trees.iter().skip(at).position(comma).map_or(trees.len(), |comma| at + comma + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        let paths = paths(text.parse().unwrap());
        let show = |path: TextPath| {
            let global = if path.route.is_global { "::" } else { "" };
            format!("{global}{}{}", path.route.segments.join("::"), if path.is_glob { "::*" } else { "" })
        };
        paths.into_iter().map(show).collect()
    }

    #[test]
    fn paths_are_found_in_any_text() {
        assert_eq!(found("x.y(crate::a::b(), $crate::c!{ $d::E })"), ["x", "crate::a::b", "crate::c"]);
        assert_eq!(found("'a: ::std::fs, 0..END"), ["::std::fs", "END"]);
    }

    #[test]
    fn an_import_in_a_macro_is_taken_apart() {
        assert_eq!(
            found("use crate::a::{self, b::{C, D as E}, f::*};"),
            ["use", "crate::a", "crate::a::b::C", "crate::a::b::D", "crate::a::f::*"]
        );
    }

    #[test]
    fn quoted_paths_are_those_with_colons() {
        let routes = quoted_paths("with = \"crate::a\", default = \"b\", reason = \"not: a path\"".parse().unwrap());
        assert_eq!(routes.len(), 1);
        assert_eq!(routes[0].segments, ["crate", "a"]);
    }
}
