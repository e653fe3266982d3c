//! What the arguments of `Scheduler` mean.

use core::fmt;

use headway_core::{Footprint, Grid, Metric, Plane, Rule};
use pyo3::prelude::*;

use crate::arrays;
use crate::error::{plain, shown};

/// One footprint for each agent, from numbers or arrays, and the one they all share, if they do.
pub fn footprints(
    sight: &Bound<'_, PyAny>,
    speed: &Bound<'_, PyAny>,
    reach: Option<&Bound<'_, PyAny>>,
    agents: usize,
) -> PyResult<(Vec<Footprint>, Option<Footprint>)> {
    let sight = arrays::per_agent(sight, "sight", agents)?;
    let speed = arrays::per_agent(speed, "speed", agents)?;
    let reach = match reach {
        Some(reach) => Some(arrays::per_agent(reach, "reach", agents)?),
        None => None,
    };
    let reach = reach.as_ref().unwrap_or(&speed);
    let footprints: Vec<_> = (0..agents)
        .map(|i| Footprint { sight: sight.of(i), reach: reach.of(i), speed: speed.of(i) })
        .collect();
    let common = match (footprints.first(), sight.for_all(), reach.for_all(), speed.for_all()) {
        (Some(first), ..) => Some(*first).filter(|first| footprints.iter().all(|f| f == first)),
        (None, Some(sight), Some(reach), Some(speed)) => Some(Footprint { sight, reach, speed }),
        _ => None,
    };
    Ok((footprints, common))
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

/// A name, or what was given instead.
#[derive(FromPyObject)]
pub enum Name<'py> {
    Text(String),
    Other(Bound<'py, PyAny>),
}

impl Name<'_> {
    /// Nothing is named by the empty text.
    fn text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::Other(_) => "",
        }
    }
}

impl From<&str> for Name<'_> {
    fn from(name: &str) -> Self {
        Self::Text(name.into())
    }
}

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Other(given) => f.write_str(&shown(given)),
        }
    }
}

/// The metric of this name, and the name for good.
pub fn metric_named(py: Python<'_>, name: &Name<'_>) -> PyResult<(&'static str, Metric)> {
    Ok(match name.text() {
        "chebyshev" => ("chebyshev", Metric::Chebyshev),
        "manhattan" => ("manhattan", Metric::Manhattan),
        "euclidean" => ("euclidean", Metric::Euclidean),
        _ => {
            let message = format!("metric must be chebyshev, manhattan or euclidean, got {name}");
            return Err(plain(py, "OptionError", message));
        }
    })
}

/// The rule of this name, and the name for good.
pub fn rule_named(py: Python<'_>, name: &Name<'_>) -> PyResult<(&'static str, Rule)> {
    Ok(match name.text() {
        "conservative" => ("conservative", Rule::Conservative),
        "compatibility" => ("compatibility", Rule::Compatibility),
        _ => {
            let message = format!("rule must be conservative or compatibility, got {name}");
            return Err(plain(py, "OptionError", message));
        }
    })
}

/// The size of a world whose borders are joined.
pub fn size_of_world(given: &Bound<'_, PyAny>) -> PyResult<(f64, f64)> {
    given.extract::<[f64; 2]>().map(|[x, y]| (x, y)).map_err(|_| {
        let message = format!("wrap must be two numbers (x, y), got {}", shown(given));
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
