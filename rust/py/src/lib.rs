//! The extension module `headway._core`: translates between Python and the crates, decides nothing.

mod arrays;
mod error;
mod graph;
mod history;
mod options;
mod places;
mod rules;
mod scheduler;
mod shared;
mod story;
mod vtime;

use pyo3::prelude::*;

// Free-threaded Python stays so: all state lies in `shared::Shared`, or never changes.
#[pymodule(gil_used = false)]
fn _core(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add("__version__", env!("CARGO_PKG_VERSION"))?;
    m.add_class::<scheduler::PyScheduler>()?;
    m.add_class::<graph::PyGraph>()?;
    m.add_class::<history::PyPositionHistory>()?;
    m.add_class::<story::PyStoryEntry>()?;
    m.add_class::<vtime::PyVirtualServer>()?;
    m.add_function(wrap_pyfunction!(rules::spawn_radius, m)?)?;
    Ok(())
}
