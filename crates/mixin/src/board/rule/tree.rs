//! Selectors of a query, and what stands around them.

use promql_parser::parser::{Expr, VectorSelector};

/// A selector, and the function that it is an argument of.
pub(super) struct Selected<'a> {
    pub(super) selector: &'a VectorSelector,
    pub(super) function: Option<&'a str>,
}

/// All selectors of a query.
pub(super) fn selectors(expr: &Expr) -> Vec<Selected<'_>> {
    let mut found = Vec::new();
    walk(expr, None, &mut found);
    found
}

fn walk<'a>(expr: &'a Expr, function: Option<&'a str>, found: &mut Vec<Selected<'a>>) {
    match expr {
        Expr::Aggregate(aggregate) => {
            walk(&aggregate.expr, None, found);
            if let Some(param) = &aggregate.param {
                walk(param, None, found);
            }
        }
        Expr::Unary(unary) => walk(&unary.expr, function, found),
        Expr::Paren(paren) => walk(&paren.expr, function, found),
        Expr::Subquery(subquery) => walk(&subquery.expr, None, found),
        Expr::Binary(binary) => {
            walk(&binary.lhs, None, found);
            walk(&binary.rhs, None, found);
        }
        Expr::Call(call) => {
            for arg in &call.args.args {
                walk(arg, Some(call.func.name), found);
            }
        }
        Expr::VectorSelector(selector) => found.push(Selected { selector, function }),
        Expr::MatrixSelector(matrix) => {
            found.push(Selected { selector: &matrix.vs, function });
        }
        Expr::NumberLiteral(_) | Expr::StringLiteral(_) | Expr::Extension(_) => {}
    }
}
