//! What the search has found, as a table and as JSON.

use std::fmt::Write as _;

use headway_core::Rule;

use super::search::Findings;
use super::world::SmallWorld;

/// What came of the worlds of one name.
#[derive(Clone, Debug)]
pub struct Row {
    /// The rule.
    pub rule: Rule,
    /// The name of the worlds, or what they are together.
    pub name: String,
    /// Number of agents who are ever there, and of steps; the largest.
    pub extent: (usize, u8),
    /// What came of them.
    pub findings: Findings,
}

impl Row {
    /// What came of one world.
    #[must_use]
    pub fn new(world: &SmallWorld, findings: Findings) -> Self {
        let extent = (world.names(), world.steps);
        Self { rule: world.rule, name: world.name.to_string(), extent, findings }
    }

    /// All rows of a rule together.
    #[must_use]
    pub fn total(rule: Rule, rows: &[Self]) -> Self {
        let (name, findings) = ("together".to_string(), Findings::default());
        let nothing = Self { rule, name, extent: (0, 0), findings };
        rows.iter().filter(|row| row.rule == rule).cloned().fold(nothing, Self::with)
    }

    /// Together with what came of other worlds.
    #[must_use]
    pub fn with(mut self, other: Self) -> Self {
        let ((agents, steps), (others, more)) = (self.extent, other.extent);
        self.extent = (agents.max(others), steps.max(more));
        self.findings.add(other.findings);
        self
    }

    /// The line of the table above the rows.
    #[must_use]
    pub fn head() -> String {
        line(["world", "agents", "steps", "runs", "states", "events", "orders", "lead", "wrong"])
    }

    /// Its line of the table.
    #[must_use]
    pub fn line(&self) -> String {
        let Findings { runs, states, transitions, orders, lead_max, violations, .. } =
            &self.findings;
        let (agents, steps) = self.extent;
        line([
            &self.name,
            &agents.to_string(),
            &steps.to_string(),
            &runs.to_string(),
            &states.to_string(),
            &transitions.to_string(),
            &short(*orders),
            &lead_max.to_string(),
            &violations.to_string(),
        ])
    }

    fn json(&self) -> String {
        let Findings { runs, states, transitions, orders, lead_max, violations, .. } =
            &self.findings;
        let (agents, steps) = self.extent;
        let rule = rule_name(self.rule);
        // The number of orders is a string, because few readers of JSON keep so many digits.
        format!(
            "{{\"rule\": \"{rule}\", \"world\": \"{}\", \"agents\": {agents}, \"steps\": {steps}, \
             \"runs\": {runs}, \"states\": {states}, \"events\": {transitions}, \
             \"orders\": \"{orders}\", \"orders_saturated\": {}, \"lead_max\": {lead_max}, \
             \"violations\": {violations}}}",
            self.name,
            *orders == u128::MAX
        )
    }
}

/// Rows and totals of both rules.
#[must_use]
pub fn json(rows: &[Row]) -> String {
    let list = |rows: &[Row]| {
        let mut text = String::new();
        for (number, row) in rows.iter().enumerate() {
            let comma = if number + 1 < rows.len() { "," } else { "" };
            let _ = write!(text, "\n    {}{comma}", row.json());
        }
        text
    };
    let totals = [Rule::Conservative, Rule::Compatibility].map(|rule| Row::total(rule, rows));
    format!("{{\n  \"worlds\": [{}\n  ],\n  \"totals\": [{}\n  ]\n}}\n", list(rows), list(&totals))
}

/// What a part of the table is about.
#[must_use]
pub fn rule_name(rule: Rule) -> &'static str {
    match rule {
        Rule::Conservative => "conservative",
        Rule::Compatibility => "compatibility",
    }
}

fn line(cells: [&str; 9]) -> String {
    let [name, agents, steps, runs, states, events, orders, lead, wrong] = cells;
    format!(
        "{name:<36} {agents:>6} {steps:>5} {runs:>6} {states:>9} {events:>9} {orders:>8} {lead:>4} \
         {wrong:>5}"
    )
}

/// Three digits of a large number, marked where it was too large to count.
fn short(orders: u128) -> String {
    match orders {
        0..10_000_000 => orders.to_string(),
        u128::MAX => "> 3.4e38".to_string(),
        _ => format!("{:.2e}", orders as f64),
    }
}
