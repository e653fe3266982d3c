//! What came of many random worlds, as a table and as JSON.

use std::fmt::Write;
use std::ops::Range;

use headway_core::Rule;

use crate::kind::{Footprints, GroundKind};
use crate::lockstep::Change;
use crate::run::Course;
use crate::setting::Setting;
use crate::sweep::{Counts, Outcome, Tally};

/// What a row of the table is about, and its counts.
type Row = (String, Tally);

/// The rows under their headings.
fn groups(counts: &Counts) -> Vec<(&'static str, Vec<Row>)> {
    let rules = [Rule::Conservative, Rule::Compatibility];
    let rules = rules.map(|rule| (name(rule).to_owned(), counts.of(|kind| kind.rule == rule)));
    let grounds = GroundKind::all().into_iter();
    let grounds = grounds.map(|g| (g.to_string(), counts.of(|kind| kind.ground == g)));
    let footprints = Footprints::ALL;
    let footprints = footprints.map(|f| (f.to_string(), counts.of(|kind| kind.footprints == f)));
    let events = [("joins", counts.joins), ("leaves", counts.leaves), ("births", counts.children)];
    vec![
        ("rule", rules.into()),
        ("ground", grounds.collect()),
        ("footprints", footprints.into()),
        ("runs with", events.map(|(name, tally)| (name.to_owned(), tally)).into()),
        ("together", vec![("all".to_owned(), counts.all())]),
    ]
}

/// With a comma between thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A table at most 100 columns wide; the measured time is not in it.
pub fn table(seeds: &Range<u64>, counts: &Counts) -> String {
    let mut out = String::new();
    let mut line = |cells: [&str; 6]| {
        let [name, runs, overtaken, differences, lead, steps] = cells;
        let row = format!(
            "{name:<39} {runs:>9} {overtaken:>10} {differences:>11} {lead:>12} {steps:>13}"
        );
        out.push_str(row.trim_end());
        out.push('\n');
    };
    line([
        &format!("seeds {} to {}", seeds.start, seeds.end.saturating_sub(1)),
        "runs",
        "overtaken",
        "differences",
        "largest lead",
        "agent-steps",
    ]);
    for (heading, rows) in groups(counts) {
        line([heading, "", "", "", "", ""]);
        for (name, tally) in rows {
            line([
                &format!("  {name}"),
                &grouped(tally.runs),
                &grouped(tally.overtaken),
                &grouped(tally.differences),
                &tally.lead_max.to_string(),
                &grouped(tally.agent_steps),
            ]);
        }
    }
    out.push_str(&least_overtaken(counts));
    out
}

fn least_overtaken(counts: &Counts) -> String {
    let kinds = counts.kinds.iter().filter(|(_, tally)| tally.runs > 0);
    let least = kinds.min_by_key(|(_, tally)| tally.overtaken * 1_000_000 / tally.runs);
    let Some((kind, tally)) = least else { return String::new() };
    format!(
        "Of {} kinds the one with the fewest overtaken, {} of {} runs:\n{}; {}; {}.\n",
        counts.kinds.len(),
        grouped(tally.overtaken),
        grouped(tally.runs),
        name(kind.rule),
        kind.ground,
        kind.footprints,
    )
}

/// One run, in words.
pub fn one(setting: &Setting, outcome: &Outcome) -> String {
    let Setting { seed, kind, starts, steps, events, pace, .. } = setting;
    let Course { changes, agent_steps, lead_max, children } = &outcome.course;
    let joined = changes.iter().filter(|change| matches!(change, Change::Join(..))).count();
    let left = changes.len() - joined;
    format!(
        "seed {seed}: {}; {}; {}\n{} agents, {steps} steps\n{events:?}\n{pace:?}\n\
         {joined} joined, {left} left, {children} were brought about\n\
         {agent_steps} agent-steps, largest lead {lead_max}\n{}\n",
        name(kind.rule),
        kind.ground,
        kind.footprints,
        starts.len(),
        outcome.difference.as_deref().unwrap_or("ends as in lock-step"),
    )
}

fn name(rule: Rule) -> &'static str {
    match rule {
        Rule::Conservative => "conservative, versioned world",
        Rule::Compatibility => "compatibility, world changed in place",
    }
}

/// What went wrong, and how to repeat it; nothing where all is well.
pub fn complaint(counts: &Counts) -> Option<String> {
    const SHOWN: usize = 10;
    let all = counts.all();
    if counts.failures.is_empty() {
        // One world alone may be too crowded for anybody to get ahead.
        let idle = all.runs >= counts.kinds.len() as u64 && all.overtaken * 2 < all.runs;
        return idle.then(|| "Too few overtook for this to show anything.\n".to_owned());
    }
    let mut out = String::new();
    for (seed, difference) in counts.failures.iter().take(SHOWN) {
        let _ = writeln!(out, "seed {seed}: {difference}");
        let _ = writeln!(out, "  replay with: headway-proof random --seed {seed}");
    }
    if let Some(more @ 1..) = counts.failures.len().checked_sub(SHOWN) {
        let _ = writeln!(out, "and {more} more");
    }
    Some(out)
}

/// The same as one JSON object. Names need no escapes.
pub fn json(seeds: &Range<u64>, counts: &Counts, seconds: f64) -> String {
    let row = |(name, tally): &Row| {
        let Tally { runs, overtaken, differences, lead_max, agent_steps } = tally;
        format!(
            "    \"{name}\": {{\"runs\": {runs}, \"overtaken\": {overtaken}, \
             \"differences\": {differences}, \"lead_max\": {lead_max}, \
             \"agent_steps\": {agent_steps}}}"
        )
    };
    let per_minute = counts.all().runs as f64 * 60.0 / seconds;
    let mut out = format!("{{\n  \"first_seed\": {},\n", seeds.start);
    let _ = writeln!(out, "  \"seconds\": {seconds:.3},");
    let _ = writeln!(out, "  \"runs_per_minute\": {per_minute:.0},");
    for (heading, rows) in groups(counts) {
        let rows: Vec<_> = rows.iter().map(row).collect();
        let heading = heading.replace(' ', "_");
        let _ = writeln!(out, "  \"{heading}\": {{\n{}\n  }},", rows.join(",\n"));
    }
    let failures: Vec<_> = counts.failures.iter().map(|(seed, _)| seed.to_string()).collect();
    let _ = writeln!(out, "  \"seeds_that_differ\": [{}]\n}}", failures.join(", "));
    out
}
