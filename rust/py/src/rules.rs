//! The rule's numbers, for those who refuse what the scheduler would refuse.

use headway_core::{Footprint, rule};
use pyo3::prelude::*;

/// Return how far away an agent may bring somebody about in a step; see `Scheduler.spawn`.
///
/// Parameters
/// ----------
/// parent, child : (float, float, float)
///     Their footprints: sight, reach, speed.
///
/// Returns
/// -------
/// float or None
///     The largest distance, which may be negative; None where the child is too fast.
#[pyfunction]
#[pyo3(signature = (*, parent, child))]
pub fn spawn_radius(parent: [f64; 3], child: [f64; 3]) -> Option<f64> {
    let [parent, child] =
        [parent, child].map(|[sight, reach, speed]| Footprint { sight, reach, speed });
    rule::spawning_bound(&parent, &child)
}
