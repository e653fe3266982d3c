//! `advance_until` goes to the next completion or to the limit, whichever comes first.

use headway_vtime::{Error, Model, Server};

#[test]
fn the_clock_stops_at_the_limit() -> Result<(), Error> {
    let mut server = Server::new(Model::new(1.0, 0.0, 0.0, 8, 100)?, 1)?;
    let mut finished = Vec::new();
    assert_eq!(server.advance_until(0.75, &mut finished), Ok(0.75), "an idle server waits");
    let request = server.submit(0, 10, 3)?;
    assert_eq!(server.advance_until(0.75, &mut finished), Ok(0.75), "no time to pass");
    assert_eq!(server.advance_until(2.25, &mut finished), Ok(2.25));
    assert!(finished.is_empty());
    assert_eq!(server.advance_until(99.0, &mut finished), Ok(3.75), "a completion comes first");
    assert_eq!(finished, [request]);
    assert_eq!(server.advance(&mut finished), None);
    assert_eq!(server.now().to_bits(), 3.75_f64.to_bits(), "nothing in flight: no time passes");
    Ok(())
}

#[test]
fn a_completion_at_the_limit_is_included() -> Result<(), Error> {
    let mut server = Server::new(Model::new(1.0, 0.0, 0.0, 8, 100)?, 1)?;
    let request = server.submit(0, 10, 3)?;
    let mut finished = Vec::new();
    assert_eq!(server.advance_until(3.0, &mut finished), Ok(3.0));
    assert_eq!(finished, [request]);
    Ok(())
}
