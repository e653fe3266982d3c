//! Every number a caller can get wrong is refused by name, with the value and the limit.

use headway_vtime::{Error, Model, RequestId, Server};

fn good_model() -> Model {
    Model::new(0.060, 0.000_16, 0.000_4, 64, 2048).expect("a good model")
}

#[track_caller]
fn refused<T: core::fmt::Debug>(result: Result<T, Error>, text: &str) {
    assert_eq!(result.expect_err("must be refused").to_string(), text);
}

#[test]
fn a_wrong_model_is_refused() {
    for (t0, shown) in [(f64::NAN, "NaN"), (f64::INFINITY, "inf"), (0.0, "0"), (-1.0, "-1")] {
        refused(
            Model::new(t0, 0.1, 0.1, 1, 1),
            &format!("t0 is {shown}; it must be from 0.000001 to 1000"),
        );
    }
    for wrong in [f64::NAN, f64::INFINITY, -1e-9, 1001.0] {
        let limits = format!("is {wrong}; it must be from 0 to 1000");
        refused(Model::new(0.1, wrong, 0.1, 1, 1), &format!("p {limits}"));
        refused(Model::new(0.1, 0.1, wrong, 1, 1), &format!("d {limits}"));
    }
    let limits = "is 0; it must be from 1 to 4294967295";
    refused(Model::new(0.1, 0.1, 0.1, 0, 1), &format!("max_sequences {limits}"));
    refused(Model::new(0.1, 0.1, 0.1, 1, 0), &format!("token_budget {limits}"));
    refused(
        Model::new(0.1, 0.1, 0.1, 64, 63),
        "token_budget is 63; it must be at least max_sequences, which is 64, so \
         that every sequence can decode",
    );
}

#[test]
fn a_wrong_number_of_replicas_is_refused() {
    for wrong in [0, 65_537] {
        refused(
            Server::new(good_model(), wrong),
            &format!("replicas is {wrong}; it must be from 1 to 65536"),
        );
    }
}

#[test]
fn a_wrong_request_is_refused_and_changes_nothing() {
    let mut server = Server::new(good_model(), 1).expect("a good server");
    let limits = "is 0; it must be from 1 to 4294967295";
    let prompt = format!("prompt_tokens {limits}");
    let output = format!("output_tokens {limits}");
    refused(server.submit(0, 0, 1), &prompt);
    refused(server.submit(0, 1, 0), &output);
    refused(good_model().lone_latency(0, 1), &prompt);
    refused(good_model().lone_latency(1, 0), &output);
    refused(
        server.cancel(RequestId(0)),
        "request 0 does not exist; it must be below 0, the number of requests \
         submitted",
    );
    assert_eq!(server.in_flight(), 0);
    assert_eq!(server.submit(0, 1, 1), Ok(RequestId(0)), "no id was used up");
}

#[test]
fn a_wrong_time_is_refused() {
    let mut server = Server::new(good_model(), 1).expect("a good server");
    let mut finished = Vec::new();
    for wrong in [f64::NAN, f64::INFINITY, -0.5] {
        refused(
            server.advance_until(wrong, &mut finished),
            &format!("limit is {wrong}; it must be from 0 to 18446744073.709553"),
        );
    }
    server.advance_until(2.0, &mut finished).expect("a good limit");
    refused(
        server.advance_until(1.5, &mut finished),
        "cannot advance until 1.5 s; it must be at least the time now, which is \
         2 s",
    );
}
