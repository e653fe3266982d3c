//! The command line: `headway-proof orders [--small | --full] [--json FILE]`.

use std::path::PathBuf;
use std::process::ExitCode;

use headway_proof::orders::{self, Size};

const USAGE: &str = "usage: headway-proof orders [--small | --full] [--json FILE]";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (mut size, mut json) = (Size::Small, None);
    let mut known = arguments.next().as_deref() == Some("orders");
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--small" => size = Size::Small,
            "--full" => size = Size::Full,
            "--json" => {
                json = arguments.next().map(PathBuf::from);
                known &= json.is_some();
            }
            _ => known = false,
        }
    }
    if !known {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    }
    match orders::report(size, json.as_deref()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}
