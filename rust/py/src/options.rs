//! What the arguments of `Scheduler` mean.

use headway_core::{Footprint, Grid, Metric, Plane, Rule};
use pyo3::prelude::*;

use crate::arrays;
use crate::error::plain;

/// One footprint for each agent, from numbers or arrays.
pub fn footprints(
    sight: &Bound<'_, PyAny>,
    speed: &Bound<'_, PyAny>,
    reach: Option<&Bound<'_, PyAny>>,
    agents: usize,
) -> PyResult<Vec<Footprint>> {
    let sight = arrays::per_agent(sight, "sight", agents)?;
    let speed = arrays::per_agent(speed, "speed", agents)?;
    let reach = match reach {
        Some(reach) => arrays::per_agent(reach, "reach", agents)?,
        None => speed.clone(),
    };
    Ok((0..agents)
        .map(|i| Footprint { sight: sight[i], reach: reach[i], speed: speed[i] })
        .collect())
}

/// The world of each agent.
pub fn worlds_of(given: &Bound<'_, PyAny>, agents: usize) -> PyResult<Vec<u32>> {
    let py = given.py();
    let worlds = arrays::integers(given, "worlds", |world| {
        u32::try_from(world).map_err(|_| {
            let message = format!("worlds are numbered from 0 to 16777215, got {world}");
            plain(py, "OptionError", message)
        })
    })?;
    if worlds.len() != agents {
        let message = format!("worlds must have shape ({agents},), got ({},)", worlds.len());
        return Err(plain(py, "ArrayShapeError", message));
    }
    Ok(worlds)
}

/// The metric of this name, and the name for good.
pub fn metric_named(py: Python<'_>, name: &str) -> PyResult<(&'static str, Metric)> {
    Ok(match name {
        "chebyshev" => ("chebyshev", Metric::Chebyshev),
        "manhattan" => ("manhattan", Metric::Manhattan),
        "euclidean" => ("euclidean", Metric::Euclidean),
        _ => {
            let message = format!("metric must be chebyshev, manhattan or euclidean, got {name:?}");
            return Err(plain(py, "OptionError", message));
        }
    })
}

/// The rule of this name, and the name for good.
pub fn rule_named(py: Python<'_>, name: &str) -> PyResult<(&'static str, Rule)> {
    Ok(match name {
        "conservative" => ("conservative", Rule::Conservative),
        "compatibility" => ("compatibility", Rule::Compatibility),
        _ => {
            let message = format!("rule must be conservative or compatibility, got {name:?}");
            return Err(plain(py, "OptionError", message));
        }
    })
}

/// The size of a world whose borders are joined.
pub fn size_of_world(given: &Bound<'_, PyAny>) -> PyResult<(f64, f64)> {
    given.extract().map_err(|_| {
        let shown = given.repr().map_or_else(|_| "something else".into(), |r| r.to_string());
        let message = format!("wrap must be two numbers (x, y), got {shown}");
        plain(given.py(), "OptionError", message)
    })
}

fn bad_wrap(py: Python<'_>, wrap: Option<(f64, f64)>, wanted: &str) -> PyErr {
    let (x, y) = wrap.unwrap_or_default();
    plain(py, "OptionError", format!("wrap must be {wanted}, got ({x}, {y})"))
}

/// A grid, whose size, if given, is in whole tiles.
pub fn grid(py: Python<'_>, metric: Metric, wrap: Option<(f64, f64)>) -> PyResult<Grid> {
    let fault = || {
        let wanted = "two whole numbers from 1 to 2**30, the size of the grid in tiles";
        bad_wrap(py, wrap, wanted)
    };
    let size = |x: f64| {
        let whole = x.fract() == 0.0 && (1.0..=f64::from(Grid::LIMIT)).contains(&x);
        whole.then_some(x as i32)
    };
    let sizes = match wrap {
        Some((x, y)) => Some([size(x).ok_or_else(fault)?, size(y).ok_or_else(fault)?]),
        None => None,
    };
    Grid::new(metric, sizes).ok_or_else(fault)
}

/// A plane.
pub fn plane(py: Python<'_>, metric: Metric, wrap: Option<(f64, f64)>) -> PyResult<Plane> {
    Plane::new(metric, wrap.map(|(x, y)| [x, y]))
        .ok_or_else(|| bad_wrap(py, wrap, "two positive numbers up to 1e8, the size of the plane"))
}
