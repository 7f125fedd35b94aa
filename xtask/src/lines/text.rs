//! The lines of one file, without those for tests.

use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};

use crate::source::test_code;

/// A file's lines.
#[derive(Debug)]
pub(super) struct Text {
    pub(super) package: String,
    pub(super) path: PathBuf,
    /// Lines of all kinds.
    pub(super) written: usize,
    /// Lines that are neither blank nor a comment.
    pub(super) code: usize,
    /// What is compared with other places: the number of a line and its words, without blanks, comments, imports and
    /// lines of punctuation only.
    pub(super) compared: Vec<(usize, String)>,
}

impl Text {
    pub(super) fn of_rust(package: &str, path: &Path, text: &str, syntax: &syn::File) -> Self {
        let mut marked = Marked::default();
        marked.visit_file(syntax);
        Self::of(package, path, text, &marked)
    }

    pub(super) fn of_c(package: &str, path: &Path, text: &str) -> Self {
        Self::of(package, path, text, &Marked::default())
    }

    fn of(package: &str, path: &Path, text: &str, marked: &Marked) -> Self {
        let mut counted =
            Self { package: package.to_owned(), path: path.to_owned(), written: 0, code: 0, compared: Vec::new() };
        let mut in_comment = false;
        for (number, line) in (1..).zip(text.lines()) {
            if marked.tests.iter().any(|lines| lines.contains(&number)) {
                continue;
            }
            counted.written += 1;
            let words = line.split_whitespace().collect::<Vec<_>>().join(" ");
            let is_comment = in_comment || words.starts_with("//") || words.starts_with("/*");
            in_comment = (in_comment || words.starts_with("/*")) && !words.contains("*/");
            if is_comment || words.is_empty() {
                continue;
            }
            counted.code += 1;
            let is_import = marked.imports.iter().any(|lines| lines.contains(&number)) || words.starts_with("#include");
            if !is_import && words.contains(char::is_alphanumeric) {
                counted.compared.push((number, words));
            }
        }
        counted
    }
}

type Lines = std::ops::RangeInclusive<usize>;

/// Lines of tests, and lines of imports and of declarations of modules.
#[derive(Default)]
struct Marked {
    tests: Vec<Lines>,
    imports: Vec<Lines>,
}

fn lines(spanned: &impl syn::spanned::Spanned) -> Lines {
    let span = spanned.span();
    span.start().line..=span.end().line
}

impl<'ast> Visit<'ast> for Marked {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        if test_code::is_marked(test_code::attributes(item)) {
            self.tests.push(lines(item));
            return;
        }
        match item {
            syn::Item::Use(_) | syn::Item::Mod(syn::ItemMod { content: None, .. }) => self.imports.push(lines(item)),
            _ => visit::visit_item(self, item),
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        if test_code::is_marked(&item.attrs) {
            self.tests.push(lines(item));
        } else {
            visit::visit_impl_item_fn(self, item);
        }
    }

    fn visit_field(&mut self, field: &'ast syn::Field) {
        if test_code::is_marked(&field.attrs) {
            self.tests.push(lines(field));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_comments_blanks_and_imports_do_not_count_as_code() {
        let text = "//! Docs.\nuse a::{\n    b,\n};\nmod c;\n\n/* x\n y */\nfn f() {\n    g(  1 )\n}\n\n#[cfg(test)]\n/// T.\nmod tests {\n    fn t() {}\n}\n";
        let text = Text::of_rust("p", Path::new("a.rs"), text, &syn::parse_file(text).unwrap());
        assert_eq!((text.written, text.code), (12, 7));
        assert_eq!(text.compared, [(9, "fn f() {".to_owned()), (10, "g( 1 )".to_owned())]);
    }
}
