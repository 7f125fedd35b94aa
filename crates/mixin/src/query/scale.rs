//! The times of a query under a factor, for proofs that cannot wait for half an hour.

use std::time::Duration;

use promql_parser::parser::{self, Expr, NumberLiteral, Offset, VectorSelector};

use crate::Period;

/// The query with every length of time in it shorter or longer by a factor: ranges, steps and offsets, how far
/// `predict_linear` looks ahead, and the seconds with which the time since something is compared. What is read and by
/// which labels stays, and so does every other number: ages that a program measures itself have a pace of their own.
pub fn scaled(text: &str, factor: f64) -> Result<String, String> {
    let mut expr = parser::parse(text)?;
    scale(&mut expr, factor);
    let scaled = expr.to_string();
    // The parser's way of writing is not ours: what it wrote must read back as what was meant. Trees are compared by what
    // is written, for matchers have no order.
    match parser::parse(&scaled) {
        Ok(again) if again.to_string() == scaled => Ok(scaled),
        Ok(_) => Err(format!("is written back as another query: {scaled}")),
        Err(error) => Err(format!("is written back as no query: {error}: {scaled}")),
    }
}

fn scale(expr: &mut Expr, factor: f64) {
    match expr {
        Expr::Aggregate(aggregate) => {
            scale(&mut aggregate.expr, factor);
            if let Some(parameter) = &mut aggregate.param {
                scale(parameter, factor);
            }
        }
        Expr::Unary(unary) => scale(&mut unary.expr, factor),
        Expr::Binary(binary) => {
            if binary.op.is_comparison_operator() && is_age(&binary.lhs) {
                seconds(&mut binary.rhs, factor);
            }
            scale(&mut binary.lhs, factor);
            scale(&mut binary.rhs, factor);
        }
        Expr::Paren(paren) => scale(&mut paren.expr, factor),
        Expr::Subquery(subquery) => {
            scale(&mut subquery.expr, factor);
            subquery.range = period(subquery.range, factor);
            subquery.step = subquery.step.map(|step| period(step, factor));
            subquery.offset = subquery.offset.take().map(|offset| moved(&offset, factor));
        }
        Expr::VectorSelector(selector) => select(selector, factor),
        Expr::MatrixSelector(matrix) => {
            select(&mut matrix.vs, factor);
            matrix.range = period(matrix.range, factor);
        }
        Expr::Call(call) => {
            if let ("predict_linear", Some(ahead)) = (call.func.name, call.args.args.get_mut(1)) {
                seconds(ahead, factor);
            }
            for argument in &mut call.args.args {
                scale(argument, factor);
            }
        }
        Expr::NumberLiteral(_) | Expr::StringLiteral(_) | Expr::Extension(_) => {}
    }
}

fn select(selector: &mut VectorSelector, factor: f64) {
    selector.offset = selector.offset.take().map(|offset| moved(&offset, factor));
}

fn moved(offset: &Offset, factor: f64) -> Offset {
    match offset {
        Offset::Pos(by) => Offset::Pos(period(*by, factor)),
        Offset::Neg(by) => Offset::Neg(period(*by, factor)),
    }
}

fn period(length: Duration, factor: f64) -> Duration {
    let millis = u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis(Period::from_millis(millis).scaled(factor).millis())
}

/// Whether the rows are seconds since something: now less a time.
fn is_age(expr: &Expr) -> bool {
    match expr {
        Expr::Call(call) => call.func.name == "time",
        Expr::Paren(paren) => is_age(&paren.expr),
        Expr::Binary(binary) => !binary.op.is_comparison_operator() && is_age(&binary.lhs),
        Expr::Aggregate(aggregate) => is_age(&aggregate.expr),
        _ => false,
    }
}

/// Makes a number of seconds, written as one or as a product, shorter or longer; anything else stays.
fn seconds(expr: &mut Expr, factor: f64) {
    if let Some(number) = number(expr) {
        *expr = Expr::NumberLiteral(NumberLiteral::new(number * factor));
    }
}

fn number(expr: &Expr) -> Option<f64> {
    match expr {
        Expr::NumberLiteral(literal) => Some(literal.val),
        Expr::Paren(paren) => number(&paren.expr),
        Expr::Binary(binary) if binary.op.to_string() == "*" => Some(number(&binary.lhs)? * number(&binary.rhs)?),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_scaled_and_nothing_else() {
        for (text, want) in [
            (
                "rate(x5m:y{a=\"5m\"}[5m]) > 10 and y offset 1h # 5m\n or max_over_time(z[1h:1m]) > 0.5",
                "rate(x5m:y{a=\"5m\"}[30s]) > 10 and y offset 6m or max_over_time(z[6m:6s]) > 0.5",
            ),
            ("predict_linear(free[6h], 4 * 24 * 3600) < 0", "predict_linear(free[36m], 34560) < 0"),
            ("time() - max by (a) (since) > 1800", "time() - max by (a) (since) > 180"),
            ("max by (kind) (watch_age_seconds) > 600", "max by (kind) (watch_age_seconds) > 600"),
            (
                "(time() - a - on (n) (b or on (n) 0 * a) > 600) unless on (n) c == 1",
                "(time() - a - on (n) (b or on (n) 0 * a) > 60) unless on (n) c == 1",
            ),
            (
                "histogram_quantile(0.9, rate(rtt_seconds[10m])) > 0.5",
                "histogram_quantile(0.9, rate(rtt_seconds[1m])) > 0.5",
            ),
            (
                "a{re=~\"x\\\\d+\"} * on (n) group_left () topk by (n) (1, b) > 0",
                "a{re=~\"x\\\\d+\"} * on (n) group_left () topk by (n) (1, b) > 0",
            ),
        ] {
            assert_eq!(scaled(text, 0.1).unwrap(), want, "{text}");
        }
        assert!(scaled("sum(", 0.1).is_err());
    }
}
