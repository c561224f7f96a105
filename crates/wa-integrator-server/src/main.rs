//! The program `wa-integrator`: the third party's server for WhatsApp interoperability (overview §1.3).

use std::process::ExitCode;

fn main() -> ExitCode {
    wa_integrator_server::main()
}
